// The provider plugin `pulumi-resource-aws`, for machines that cannot have the official one.
//
// It serves the Pulumi SDK for AWS over Terraform's AWS provider, which set-up lays beside it.
// types.json says which of that provider's types are served, and by which of the SDK's tokens.
package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/pulumi/pulumi-terraform-bridge/v3/dynamic/internal/shim/run"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/proto"
	pfbridge "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/pf/tfbridge"
	"github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfbridge"
	shim "github.com/pulumi/pulumi-terraform-bridge/v3/pkg/tfshim"
	"github.com/pulumi/pulumi/sdk/v3/go/common/tokens"
)

// The engine and the SDK ask for no schema; it has to be one all the same.
const schema = `{"name": "aws"}`

const (
	terraformProvider = "terraform-provider-aws"
	longestName       = 255
)

// version is that of the SDK that is served; the build sets it.
var version = "0.0.0"

//go:embed types.json
var typesFile []byte

// types are Terraform's names and Pulumi's tokens for them; then arguments of resources: those whose name
// in the SDK does not follow from Terraform's, those of which Terraform keeps only a hash, and blocks that
// have to be empty where there are none.
type types struct {
	Resources map[string]tokens.Type         `json:"resources"`
	Functions map[string]tokens.ModuleMember `json:"functions"`
	Renamed   map[string]map[string]string   `json:"renamed"`
	Hashed    map[string][]string            `json:"hashed"`
	Empty     map[string][]string            `json:"empty"`
}

func main() {
	ctx := context.Background()
	info, err := providerInfo(ctx)
	if err != nil {
		fmt.Fprintf(os.Stderr, "pulumi-resource-aws: %s\n", err)
		os.Exit(1)
	}
	// It may end by os.Exit, so nothing is closed here: the Terraform provider dies with its parent.
	pfbridge.Main(ctx, info.Name, info, pfbridge.ProviderMetadata{PackageSchema: []byte(schema)})
}

// providerInfo starts the Terraform provider, and says what of it is served.
func providerInfo(ctx context.Context) (tfbridge.ProviderInfo, error) {
	var served types
	if err := json.Unmarshal(typesFile, &served); err != nil {
		return tfbridge.ProviderInfo{}, fmt.Errorf("types.json: %w", err)
	}
	self, err := os.Executable()
	if err != nil {
		return tfbridge.ProviderInfo{}, err
	}
	server, err := run.LocalProvider(ctx, filepath.Join(filepath.Dir(self), terraformProvider))
	if err != nil {
		return tfbridge.ProviderInfo{}, err
	}
	known := kindsOf(ctx, server)
	info := tfbridge.ProviderInfo{
		P: proto.New(ctx, &blocksServer{
			&hashedServer{server, served.Hashed, known}, served.Empty, known,
		}),
		Name:         "aws",
		Version:      version,
		Config:       config(),
		Resources:    map[string]*tfbridge.ResourceInfo{},
		DataSources:  map[string]*tfbridge.DataSourceInfo{},
		MetadataInfo: &tfbridge.MetadataInfo{Data: tfbridge.ProviderMetadata(nil)},
	}
	for name, token := range served.Resources {
		info.Resources[name] = &tfbridge.ResourceInfo{Tok: token, Fields: fields(served.Renamed[name])}
	}
	for name, token := range served.Functions {
		info.DataSources[name] = &tfbridge.DataSourceInfo{Tok: token}
	}
	ignore := func(name string, _ shim.Resource) bool {
		info.IgnoreMappings = append(info.IgnoreMappings, name) // where types.json does not name it
		return true
	}
	info.P.ResourcesMap().Range(ignore)
	info.P.DataSourcesMap().Range(ignore)
	info.SetAutonaming(longestName, "-")
	return info, nil
}

// fields describes renamed arguments. What the SDK calls a name has a random one where it is not given.
func fields(renamed map[string]string) map[string]*tfbridge.SchemaInfo {
	described := map[string]*tfbridge.SchemaInfo{}
	for argument, name := range renamed {
		described[argument] = &tfbridge.SchemaInfo{Name: name}
		if name == "name" {
			described[argument] = tfbridge.AutoName(name, longestName, "-")
		}
	}
	return described
}

// config names the provider's settings that are lists for Terraform and one object for the SDK.
func config() map[string]*tfbridge.SchemaInfo {
	settings := map[string]*tfbridge.SchemaInfo{}
	for _, name := range []string{"assume_role_with_web_identity", "default_tags", "ignore_tags"} {
		settings[name] = &tfbridge.SchemaInfo{MaxItemsOne: tfbridge.True()}
	}
	return settings
}
