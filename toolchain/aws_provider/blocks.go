package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// blocksServer is a Terraform provider that goes through repeated blocks of its configuration without
// looking whether there are any: Terraform says "none" by an empty set, the bridge by a null, and the
// provider ends there (aws_instance, in every update of one with data volumes).
type blocksServer struct {
	tfprotov6.ProviderServer
	blocks map[string][]string
	kinds  kinds
}

// ApplyResourceChange says "none" as Terraform does.
func (s *blocksServer) ApplyResourceChange(
	ctx context.Context, request *tfprotov6.ApplyResourceChangeRequest,
) (*tfprotov6.ApplyResourceChangeResponse, error) {
	if blocks := s.blocks[request.TypeName]; blocks != nil {
		kind, err := s.kinds(request.TypeName)
		if err == nil {
			request.Config, err = withEmpty(blocks, request.Config, kind)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", request.TypeName, err)
		}
	}
	return s.ProviderServer.ApplyResourceChange(ctx, request)
}

// withEmpty gives the object with nothing in those of its blocks that are null.
func withEmpty(blocks []string, value *tfprotov6.DynamicValue, kind tftypes.Type) (*tfprotov6.DynamicValue, error) {
	return changed(value, kind, func(found map[string]tftypes.Value) {
		for _, block := range blocks {
			if one := found[block]; one.IsNull() {
				found[block] = tftypes.NewValue(one.Type(), []tftypes.Value{})
			}
		}
	})
}
