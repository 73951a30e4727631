// What Go's crypto/x509 makes of certificates where Rekor uses it (pkg/pki/x509): parsed alone, and several verified as a chain to the
// last one, at the first moment of the first one, for any use.
//
//	go run verdict.go CASES.json    prints the verdicts as a JSON array of texts, each empty or Go's error
package main

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
)

func main() {
	text, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var cases []struct{ Pem string }
	if err := json.Unmarshal(text, &cases); err != nil {
		panic(err)
	}
	verdicts := []string{}
	for _, one := range cases {
		verdict := ""
		if err := judge([]byte(one.Pem)); err != nil {
			verdict = err.Error()
		}
		verdicts = append(verdicts, verdict)
	}
	if err := json.NewEncoder(os.Stdout).Encode(verdicts); err != nil {
		panic(err)
	}
}

func judge(text []byte) error {
	var chain []*x509.Certificate
	for rest := bytes.TrimSpace(text); len(rest) > 0; {
		if len(chain) == 10 {
			return errors.New("too many certificates specified in PEM block")
		}
		var block *pem.Block
		block, rest = pem.Decode(rest)
		certificate, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return err
		}
		chain = append(chain, certificate)
	}
	switch key := chain[0].PublicKey.(type) {
	case *ecdsa.PublicKey, *rsa.PublicKey, ed25519.PublicKey:
	default:
		return fmt.Errorf("unsupported public key type: %T", key)
	}
	if len(chain) == 1 {
		return nil
	}
	roots, between := x509.NewCertPool(), x509.NewCertPool()
	roots.AddCert(chain[len(chain)-1])
	for _, certificate := range chain[1 : len(chain)-1] {
		between.AddCert(certificate)
	}
	_, err := chain[0].Verify(x509.VerifyOptions{
		Roots:         roots,
		Intermediates: between,
		KeyUsages:     []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
		CurrentTime:   chain[0].NotBefore,
	})
	return err
}
