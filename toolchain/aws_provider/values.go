package main

import (
	"context"
	"sync"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
)

// kinds gives the type of a resource's values.
type kinds func(resource string) (tftypes.Type, error)

// kindsOf asks the provider for its schemas once, and only when a type is wanted.
func kindsOf(ctx context.Context, server tfprotov6.ProviderServer) kinds {
	schemas := sync.OnceValues(func() (*tfprotov6.GetProviderSchemaResponse, error) {
		return server.GetProviderSchema(ctx, &tfprotov6.GetProviderSchemaRequest{})
	})
	return func(resource string) (tftypes.Type, error) {
		found, err := schemas()
		if err != nil {
			return nil, err
		}
		return found.ResourceSchemas[resource].ValueType(), nil
	}
}

// changed gives the object with some of its attributes changed; the value itself where there is none.
func changed(
	value *tfprotov6.DynamicValue, kind tftypes.Type, change func(attributes map[string]tftypes.Value),
) (*tfprotov6.DynamicValue, error) {
	found, err := attributes(value, kind)
	if err != nil || found == nil {
		return value, err
	}
	change(found)
	made, err := tfprotov6.NewDynamicValue(kind, tftypes.NewValue(kind, found))
	return &made, err
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
