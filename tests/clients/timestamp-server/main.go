// A timestamp authority: Sigstore's own server with keys in memory.
//
//	timestamp-server PORT
//
// The program of the same name also wants port 2112 for its metrics, of which there is only one for all tests.
package main

import (
	"fmt"
	"os"
	"strconv"
	"time"

	"github.com/sigstore/timestamp-authority/v2/pkg/server"
	"github.com/spf13/viper"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: timestamp-server PORT")
		os.Exit(1)
	}
	port, err := strconv.Atoi(os.Args[1])
	if err == nil {
		viper.Set("timestamp-signer", "memory")
		viper.Set("timestamp-signer-hash", "sha256")
		viper.Set("default-policy-oid", "1.3.6.1.4.1.57264.2")
		viper.Set("accepted-policy-oids", []string{"1.3.6.1.4.1.57264.2"})
		viper.Set("max-request-body-size", 1<<20)
		err = server.NewRestAPIServer("127.0.0.1", port, []string{"http"}, false, time.Minute, time.Minute).Serve()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
