// Trust from a TUF repository: what `chancery trust export --for go` prints, compiled. A test compares the two.

package main

import (
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/tuf"
)

func trust(mirror string, tufRoot []byte) (*root.TrustedRoot, *root.SigningConfig, error) {
	options := tuf.DefaultOptions()
	options.RepositoryBaseURL = mirror
	options.Root = tufRoot
	client, err := tuf.New(options)
	if err != nil {
		return nil, nil, err
	}
	trustedRoot, err := root.GetTrustedRoot(client)
	if err != nil {
		return nil, nil, err
	}
	signingConfig, err := root.GetSigningConfig(client)
	return trustedRoot, signingConfig, err
}
