package main

import (
	"context"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// hashedServer is a Terraform provider some of whose arguments are only hashes in its state. A refresh
// makes such a hash the argument that Pulumi remembers; where the program then ignores changes of it, the
// hash comes back as what is wanted, and would be hashed once more. Wanted as it is means: not changed.
type hashedServer struct {
	tfprotov6.ProviderServer
	arguments map[string][]string
	schemas   func() (*tfprotov6.GetProviderSchemaResponse, error)
}

func newHashedServer(
	ctx context.Context, server tfprotov6.ProviderServer, arguments map[string][]string,
) tfprotov6.ProviderServer {
	return &hashedServer{server, arguments, sync.OnceValues(
		func() (*tfprotov6.GetProviderSchemaResponse, error) {
			return server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
		},
	)}
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
	schemas, err := s.schemas()
	if err != nil {
		return err
	}
	kind := schemas.ResourceSchemas[request.TypeName].ValueType()
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
	found, err := attributes(value, kind)
	if err != nil || found == nil {
		return value, err
	}
	found[attribute] = tftypes.NewValue(tftypes.String, nil)
	changed, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, found))
	return &changed, err
}

// attributes reads an object; nil where there is none.
func attributes(value *tfprotov6.DynamicValue, kind tftypes.Type) (map[string]tftypes.Value, error) {
	if value == nil {
		return nil, nil
	}
	object, err := value.Unmarshal(kind)
	if err != nil || object.IsNull() {
		return nil, err
	}
	var found map[string]tftypes.Value
	return found, object.As(&found)
}
