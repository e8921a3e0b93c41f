package main

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// hashedServer is a Terraform provider some of whose arguments are only hashes in its state. A refresh
// makes such a hash the argument that Pulumi remembers; where the program then ignores changes of it, the
// hash comes back as what is wanted, and would be hashed once more. Wanted as it is means: not changed.
type hashedServer struct {
	tfprotov6.ProviderServer
	arguments map[string][]string
	kinds     kinds
}

// PlanResourceChange leaves out of what is wanted the hashes that the state has already.
func (s *hashedServer) PlanResourceChange(
	ctx context.Context, request *tfprotov6.PlanResourceChangeRequest,
) (*tfprotov6.PlanResourceChangeResponse, error) {
	for _, argument := range s.arguments[request.TypeName] {
		if err := s.leaveOut(request, argument); err != nil {
			return nil, fmt.Errorf("%s.%s: %w", request.TypeName, argument, err)
		}
	}
	return s.ProviderServer.PlanResourceChange(ctx, request)
}

func (s *hashedServer) leaveOut(request *tfprotov6.PlanResourceChangeRequest, argument string) error {
	kind, err := s.kinds(request.TypeName)
	if err != nil {
		return err
	}
	prior, err := attributes(request.PriorState, kind)
	if err != nil || prior == nil {
		return err
	}
	wanted, err := attributes(request.Config, kind)
	if err != nil || wanted == nil || wanted[argument].IsNull() || !wanted[argument].Equal(prior[argument]) {
		return err
	}
	if request.Config, err = without(argument, request.Config, kind); err != nil {
		return err
	}
	request.ProposedNewState, err = without(argument, request.ProposedNewState, kind)
	return err
}

// without gives the object with nothing said of one of its attributes.
func without(attribute string, value *tfprotov6.DynamicValue, kind tftypes.Type) (*tfprotov6.DynamicValue, error) {
	return changed(value, kind, func(found map[string]tftypes.Value) {
		found[attribute] = tftypes.NewValue(tftypes.String, nil)
	})
}
