// A Vault: HashiCorp's own core, HTTP API and transit engine, with its storage in a directory.
//
//	vault ADDRESS DIRECTORY
//
// It starts as any Vault does: sealed, and before the first time without keys. What the program of that name has beside
// this (every cloud's storage, logins and secrets) takes gigabytes to build.
package main

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	_ "unsafe" // for go:linkname

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/vault/builtin/logical/transit"
	vaulthttp "github.com/hashicorp/vault/http"
	"github.com/hashicorp/vault/internalshared/configutil"
	"github.com/hashicorp/vault/sdk/framework"
	"github.com/hashicorp/vault/sdk/helper/consts"
	"github.com/hashicorp/vault/sdk/logical"
	"github.com/hashicorp/vault/sdk/physical/file"
	"github.com/hashicorp/vault/vault"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: vault ADDRESS DIRECTORY")
		os.Exit(1)
	}
	if err := serve(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func serve(address, directory string) error {
	logger := hclog.New(&hclog.LoggerOptions{Name: "vault", Level: hclog.Info})
	storage, err := file.NewFileBackend(map[string]string{"path": directory}, logger.Named("storage"))
	if err != nil {
		return err
	}
	core, err := vault.NewCore(&vault.CoreConfig{
		Physical:        storage,
		StorageType:     "file",
		LogicalBackends: map[string]logical.Factory{"transit": transitEngine},
		BuiltinRegistry: builtins{},
		DisableMlock:    true,
		Logger:          logger,
	})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	handler := vaulthttp.Handler.Handler(&vault.HandlerProperties{
		Core:           core,
		ListenerConfig: &configutil.Listener{Type: "tcp", Address: address},
	})
	return http.Serve(listener, handler)
}

func transitEngine(ctx context.Context, config *logical.BackendConfig) (logical.Backend, error) {
	engine, err := transit.Backend(ctx, config)
	if err != nil {
		return nil, err
	}
	engine.Paths = routable(engine.Paths)
	return engine, engine.Setup(ctx, config)
}

//go:linkname systemPaths github.com/hashicorp/vault/vault.entPaths
var systemPaths func(*vault.SystemBackend) []*framework.Path

func init() {
	declared := systemPaths
	systemPaths = func(system *vault.SystemBackend) []*framework.Path { return routable(declared(system)) }
}

// routable gives every path the check without which the SDK, as it was released, does not route what may create
// something. The SDK that this core was released with takes all of that for an update, and so does the check.
func routable(paths []*framework.Path) []*framework.Path {
	for _, path := range paths {
		if path.ExistenceCheck == nil {
			path.ExistenceCheck = func(context.Context, *logical.Request, *framework.FieldData) (bool, error) {
				return true, nil
			}
		}
	}
	return paths
}

// builtins are the engines that are not compiled into this core: none.
type builtins struct{}

func (builtins) Contains(string, consts.PluginType) bool { return false }

func (builtins) Get(string, consts.PluginType) (func() (interface{}, error), bool) { return nil, false }

func (builtins) Keys(consts.PluginType) []string { return nil }

func (builtins) DeprecationStatus(string, consts.PluginType) (consts.DeprecationStatus, bool) {
	return consts.Unknown, false
}

func (builtins) IsBuiltinEntPlugin(string, consts.PluginType) bool { return false }
