// Google's certificate transparency: its client, and the test that its own server passes.
//
//	certificate-transparency verify KEY CHAIN          verifies every SCT in the first certificate of a chain in PEM, and
//	                                                   prints the hash of the leaf that each promises, in base64
//	certificate-transparency integration URL KEY DATA  CTFE's live integration test against an empty log that accepts the
//	                                                   root DATA/fake-ca.cert; DATA is its trillian/testdata
//
// KEY is the log's key in PEM.
package main

import (
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/ctutil"
	"github.com/google/certificate-transparency-go/trillian/ctfe/configpb"
	"github.com/google/certificate-transparency-go/trillian/integration"
	"github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	"github.com/google/trillian/crypto/keyspb"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "verify":
		err = verify(os.Args[2], os.Args[3])
	case len(os.Args) == 5 && os.Args[1] == "integration":
		err = integrate(os.Args[2], os.Args[3], os.Args[4])
	default:
		err = fmt.Errorf("usage: certificate-transparency verify KEY CHAIN | integration URL KEY DATA")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func publicKey(path string) ([]byte, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("%s is not PEM", path)
	}
	return block.Bytes, nil
}

func verify(key, path string) error {
	der, err := publicKey(key)
	if err != nil {
		return err
	}
	public, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return err
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	chain, err := x509util.CertificatesFromPEM(text)
	if err != nil {
		return err
	}
	scts, err := x509util.ParseSCTsFromCertificate(chain[0].Raw)
	if err != nil {
		return err
	}
	if len(scts) == 0 {
		return fmt.Errorf("the certificate has no SCT")
	}
	for _, sct := range scts {
		if err := ctutil.VerifySCT(public, chain, sct, true); err != nil {
			return err
		}
		leaf, err := ct.MerkleTreeLeafForEmbeddedSCT(chain, sct.Timestamp)
		if err != nil {
			return err
		}
		// Google's own logs have none, so the library leaves them out.
		leaf.TimestampedEntry.Extensions = sct.Extensions
		hash, err := ct.LeafHashForLeaf(leaf)
		if err != nil {
			return err
		}
		fmt.Println(base64.StdEncoding.EncodeToString(hash[:]))
	}
	return nil
}

func integrate(address, key, data string) error {
	der, err := publicKey(key)
	if err != nil {
		return err
	}
	log, err := url.Parse(address)
	if err != nil {
		return err
	}
	config := &configpb.LogConfig{
		Prefix:    strings.TrimPrefix(log.Path, "/"),
		PublicKey: &keyspb.PublicKey{Der: der},
	}
	return integration.RunCTIntegrationForLog(config, log.Scheme+"://"+log.Host, "", data, 30*time.Second, nil)
}
