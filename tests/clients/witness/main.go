// A foreign witness, and a foreign judge of cosignatures: transparency-dev's.
//
//	witness keygen NAME                       a new key: the private half on the first line, the public one on the second
//	witness serve ADDRESS KEY DATABASE VKEY…  cosigns for the logs with these keys, whose origins are the keys' names
//	witness verify NOTE VKEY…                 prints who of these has signed the note, one name a line; all must have
//	witness submit URL NOTE OLD               asks the witness there, without a proof; prints what it says
//
// Around the library, because the program of the same name also feeds itself from every public log it knows.
package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"

	f_note "github.com/transparency-dev/formats/note"
	client "github.com/transparency-dev/witness/client/http"
	"github.com/transparency-dev/witness/config"
	"github.com/transparency-dev/witness/omniwitness"
	"github.com/transparency-dev/witness/persistence/sqlite"
	"golang.org/x/mod/sumdb/note"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	switch {
	case len(os.Args) == 3 && os.Args[1] == "keygen":
		private, public, err := note.GenerateKey(rand.Reader, os.Args[2])
		check(err)
		public, err = f_note.VKeyToCosignatureV1(public)
		check(err)
		fmt.Println(private)
		fmt.Println(public)
	case len(os.Args) > 5 && os.Args[1] == "serve":
		check(serve(os.Args[2], os.Args[3], os.Args[4], os.Args[5:]))
	case len(os.Args) > 3 && os.Args[1] == "verify":
		check(verify(os.Args[2], os.Args[3:]))
	case len(os.Args) == 5 && os.Args[1] == "submit":
		check(submit(os.Args[2], os.Args[3], os.Args[4]))
	default:
		check(fmt.Errorf("usage: witness keygen|serve|verify|submit …"))
	}
}

func serve(address, private, database string, vkeys []string) error {
	ctx := context.Background()
	signer, err := f_note.NewSignerForCosignatureV1(private)
	if err != nil {
		return err
	}
	state, _, err := sqlite.New(ctx, sqlite.Opts{Path: database, MaxOpenConns: 1})
	if err != nil {
		return err
	}
	logs := []config.Log{}
	for _, vkey := range vkeys {
		verifier, err := f_note.NewVerifier(vkey)
		if err != nil {
			return err
		}
		logs = append(logs, config.Log{VKey: vkey, Verifier: verifier, Origin: verifier.Name()})
	}
	if err := state.AddLogs(ctx, logs); err != nil {
		return err
	}
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	operator := omniwitness.OperatorConfig{
		WitnessKeys:     []note.Signer{signer},
		WitnessVerifier: signer.Verifier(),
		Logs:            state,
	}
	return omniwitness.Main(ctx, operator, state, listener, http.DefaultClient)
}

func verify(path string, vkeys []string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	known := []note.Verifier{}
	for _, vkey := range vkeys {
		verifier, err := f_note.NewVerifier(vkey)
		if err != nil {
			return err
		}
		known = append(known, verifier)
	}
	opened, err := note.Open(text, note.VerifierList(known...))
	if err != nil {
		return err
	}
	for _, signature := range opened.Sigs {
		fmt.Println(signature.Name)
	}
	if len(opened.Sigs) != len(known) {
		return fmt.Errorf("%d of %d keys have signed", len(opened.Sigs), len(known))
	}
	return nil
}

func submit(address, path, old string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	size, err := strconv.ParseUint(old, 10, 64)
	if err != nil {
		return err
	}
	base, err := url.Parse(address)
	if err != nil {
		return err
	}
	lines, known, err := client.NewWitness(base, http.DefaultClient).Update(context.Background(), size, text, nil)
	if err != nil {
		return fmt.Errorf("%w: %d", err, known)
	}
	fmt.Print(string(lines))
	return nil
}
