// sigstore-go-trust MIRROR ROOT: writes the trusted root and the signing configuration of a TUF repository to the
// current directory, for sigstore-go's example programs.
package main

import (
	"encoding/json"
	"fmt"
	"os"
)

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(mirror, rootFile string) error {
	tufRoot, err := os.ReadFile(rootFile)
	if err != nil {
		return err
	}
	trustedRoot, signingConfig, err := trust(mirror, tufRoot)
	if err != nil {
		return err
	}
	for name, document := range map[string]json.Marshaler{
		"trusted_root.json":   trustedRoot,
		"signing_config.json": signingConfig,
	} {
		text, err := document.MarshalJSON()
		if err != nil {
			return err
		}
		if err := os.WriteFile(name, text, 0o644); err != nil {
			return err
		}
	}
	return nil
}
