// Asks a certificate authority over gRPC with Fulcio's own generated client.
//
//	fulcio-grpc HOST:PORT TOKEN CHALLENGE [metadata]
//
// Prints what it was told as JSON. With `metadata` the token goes where Fulcio's gateway puts it. A refusal is printed
// with its code, text and details, and is no failure of this program.
package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"time"

	"github.com/sigstore/fulcio/pkg/generated/protobuf"
	_ "google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
)

func main() {
	answers := map[string]json.RawMessage{}
	check := func(err error) {
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
	note := func(name string, message proto.Message, err error) {
		if err != nil {
			name, message = name+"Refused", status.Convert(err).Proto()
		}
		text, err := protojson.MarshalOptions{EmitUnpopulated: true}.Marshal(message)
		check(err)
		answers[name] = text
	}
	if len(os.Args) < 4 {
		check(fmt.Errorf("usage: fulcio-grpc HOST:PORT TOKEN CHALLENGE [metadata]"))
	}
	address, token, challenge, inMetadata := os.Args[1], os.Args[2], os.Args[3], len(os.Args) > 4
	connection, err := grpc.NewClient("passthrough:///"+address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	check(err)
	spki, err := x509.MarshalPKIXPublicKey(key.Public())
	check(err)
	digest := sha256.Sum256([]byte(challenge))
	proof, err := ecdsa.SignASN1(rand.Reader, key, digest[:])
	check(err)
	request := &protobuf.CreateSigningCertificateRequest{
		Key: &protobuf.CreateSigningCertificateRequest_PublicKeyRequest{
			PublicKeyRequest: &protobuf.PublicKeyRequest{
				PublicKey: &protobuf.PublicKey{
					Algorithm: protobuf.PublicKeyAlgorithm_ECDSA,
					Content:   string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: spki})),
				},
				ProofOfPossession: proof,
			},
		},
	}
	asking := ctx
	if inMetadata {
		asking = metadata.AppendToOutgoingContext(ctx, "oidcidentitytoken", token)
	} else {
		request.Credentials = &protobuf.Credentials{
			Credentials: &protobuf.Credentials_OidcIdentityToken{OidcIdentityToken: token},
		}
	}
	client := protobuf.NewCAClient(connection)
	certificate, err := client.CreateSigningCertificate(asking, request)
	note("certificate", certificate, err)
	bundle, err := client.GetTrustBundle(ctx, &protobuf.GetTrustBundleRequest{})
	note("trustBundle", bundle, err)
	configuration, err := client.GetConfiguration(ctx, &protobuf.GetConfigurationRequest{})
	note("configuration", configuration, err)
	health := grpc_health_v1.NewHealthClient(connection)
	for name, service := range map[string]string{"health": "", "healthOfCA": "dev.sigstore.fulcio.v2.CA", "healthOfNothing": "x"} {
		answer, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: service})
		note(name, answer, err)
	}
	check(json.NewEncoder(os.Stdout).Encode(answers))
}
