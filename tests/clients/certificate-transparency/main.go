// Google's certificate transparency: its client, and the test that its own server passes.
//
//	certificate-transparency verify KEY CHAIN          verifies every SCT in the first certificate of a chain in PEM, and
//	                                                   prints the hash of the leaf that each promises, in base64
//	certificate-transparency integration URL KEY DATA  CTFE's live integration test against an empty log that accepts the
//	                                                   root DATA/fake-ca.cert; DATA is its trillian/testdata
//	certificate-transparency hammer URL KEY DATA COUNT CTFE's load test against such a log: COUNT operations, one
//	                                                   in ten of them malformed on purpose
//
// KEY is the log's key in PEM.
package main

import (
	"context"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	ct "github.com/google/certificate-transparency-go"
	"github.com/google/certificate-transparency-go/ctutil"
	"github.com/google/certificate-transparency-go/trillian/ctfe"
	"github.com/google/certificate-transparency-go/trillian/ctfe/configpb"
	"github.com/google/certificate-transparency-go/trillian/integration"
	"github.com/google/certificate-transparency-go/x509"
	"github.com/google/certificate-transparency-go/x509util"
	"github.com/google/trillian/crypto/keyspb"
	"github.com/google/trillian/monitoring"
)

func main() {
	var err error
	switch {
	case len(os.Args) == 4 && os.Args[1] == "verify":
		err = verify(os.Args[2], os.Args[3])
	case len(os.Args) == 5 && os.Args[1] == "integration":
		err = integrate(os.Args[2], os.Args[3], os.Args[4])
	case len(os.Args) == 6 && os.Args[1] == "hammer":
		err = hammer(os.Args[2], os.Args[3], os.Args[4], os.Args[5])
	default:
		err = fmt.Errorf("usage: certificate-transparency verify KEY CHAIN | integration URL KEY DATA | hammer URL KEY DATA COUNT")
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

// logConfig returns what the tests are told of the log, and the server's base URL.
func logConfig(address, key string) (*configpb.LogConfig, string, error) {
	der, err := publicKey(key)
	if err != nil {
		return nil, "", err
	}
	log, err := url.Parse(address)
	if err != nil {
		return nil, "", err
	}
	config := &configpb.LogConfig{
		Prefix:    strings.TrimPrefix(log.Path, "/"),
		PublicKey: &keyspb.PublicKey{Der: der},
	}
	return config, log.Scheme + "://" + log.Host, nil
}

func integrate(address, key, data string) error {
	config, server, err := logConfig(address, key)
	if err != nil {
		return err
	}
	return integration.RunCTIntegrationForLog(config, server, "", data, 30*time.Second, nil)
}

func hammer(address, key, data, count string) error {
	operations, err := strconv.ParseUint(count, 10, 64)
	if err != nil {
		return err
	}
	config, server, err := logConfig(address, key)
	if err != nil {
		return err
	}
	pool, err := integration.NewRandomPool(server, config.PublicKey, config.Prefix, "")
	if err != nil {
		return err
	}
	factory, err := integration.SyntheticGeneratorFactory(data, "")
	if err != nil {
		return err
	}
	chains, err := factory(config)
	if err != nil {
		return err
	}
	return integration.HammerCTLog(context.Background(), integration.HammerConfig{
		LogCfg:         config,
		MetricFactory:  monitoring.InertMetricFactory{},
		ChainGenerator: chains,
		ClientPool:     pool,
		// An entry is in the tree before its timestamp is answered, so proofs are asked for at once.
		MMD:                      time.Millisecond,
		EPBias:                   bias(),
		MinGetEntries:            1,
		MaxGetEntries:            500,
		OversizedGetEntries:      true,
		Operations:               operations,
		MaxParallelChains:        4,
		RequestDeadline:          10 * time.Second,
		DuplicateChance:          10,
		StrictSTHConsistencySize: true,
	})
}

// bias mixes the operations as the load test does by default, but with as many reads as writes.
func bias() integration.HammerBias {
	return integration.HammerBias{
		Bias: map[ctfe.EntrypointName]int{
			ctfe.AddChainName:          20,
			ctfe.AddPreChainName:       20,
			ctfe.GetSTHName:            8,
			ctfe.GetSTHConsistencyName: 8,
			ctfe.GetProofByHashName:    8,
			ctfe.GetEntriesName:        8,
			ctfe.GetRootsName:          8,
		},
		InvalidChance: map[ctfe.EntrypointName]int{
			ctfe.AddChainName:          10,
			ctfe.AddPreChainName:       10,
			ctfe.GetSTHConsistencyName: 10,
			ctfe.GetProofByHashName:    10,
			ctfe.GetEntriesName:        10,
		},
	}
}
