// Asks a Rekor v2 log over gRPC with rekor-tiles' own generated client.
//
//	rekor-grpc HOST:PORT FILE
//
// FILE is a CreateEntryRequest in protobuf's JSON form. Prints what it was told as JSON: the entry, or the status with
// its details and the header x-log-index. A refusal is no failure of this program.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	_ "github.com/sigstore/protobuf-specs/gen/pb-go/rekor/v1"
	"github.com/sigstore/rekor-tiles/v2/pkg/generated/protobuf"
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
	if len(os.Args) != 3 {
		check(fmt.Errorf("usage: rekor-grpc HOST:PORT FILE"))
	}
	text, err := os.ReadFile(os.Args[2])
	check(err)
	request := &protobuf.CreateEntryRequest{}
	check(protojson.Unmarshal(text, request))
	connection, err := grpc.NewClient("passthrough:///"+os.Args[1], grpc.WithTransportCredentials(insecure.NewCredentials()))
	check(err)
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var header, trailer metadata.MD
	entry, err := protobuf.NewRekorClient(connection).CreateEntry(ctx, request, grpc.Header(&header), grpc.Trailer(&trailer))
	note("entry", entry, err)
	index, err := json.Marshal(append(header.Get("x-log-index"), trailer.Get("x-log-index")...))
	check(err)
	answers["logIndex"] = index
	_, err = protobuf.NewRekorClient(connection).GetTile(ctx, &protobuf.TileRequest{N: "000"})
	note("tile", nil, err)
	health := grpc_health_v1.NewHealthClient(connection)
	answer, err := health.Check(ctx, &grpc_health_v1.HealthCheckRequest{Service: "dev.sigstore.rekor.v2.Rekor"})
	note("health", answer, err)
	check(json.NewEncoder(os.Stdout).Encode(answers))
}
