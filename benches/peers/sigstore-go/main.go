// sigstore-go TRUSTED_ROOT BUNDLE ARTIFACT COUNT: reads and verifies a bundle so many times in one thread's work, and
// prints the microseconds of CPU that one took, garbage collection included; the best of five.
package main

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"

	"github.com/sigstore/sigstore-go/pkg/bundle"
	"github.com/sigstore/sigstore-go/pkg/root"
	"github.com/sigstore/sigstore-go/pkg/verify"
)

const rounds = 5

func main() {
	us, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	fmt.Println(us)
}

func run(arguments []string) (float64, error) {
	trustedRoot, err := root.NewTrustedRootFromPath(arguments[0])
	if err != nil {
		return 0, err
	}
	document, err := os.ReadFile(arguments[1])
	if err != nil {
		return 0, err
	}
	artifact, err := os.ReadFile(arguments[2])
	if err != nil {
		return 0, err
	}
	count, err := strconv.Atoi(arguments[3])
	if err != nil {
		return 0, err
	}
	verifier, err := verify.NewVerifier(trustedRoot, verify.WithSignedCertificateTimestamps(1),
		verify.WithTransparencyLog(1), verify.WithObserverTimestamps(1))
	if err != nil {
		return 0, err
	}
	var best float64
	for range rounds {
		start := cpu()
		for range count {
			entity := &bundle.Bundle{}
			if err := entity.UnmarshalJSON(document); err != nil {
				return 0, err
			}
			policy := verify.NewPolicy(verify.WithArtifact(bytes.NewReader(artifact)), verify.WithoutIdentitiesUnsafe())
			if _, err := verifier.Verify(entity, policy); err != nil {
				return 0, err
			}
		}
		if us := (cpu() - start) / float64(count); best == 0 || us < best {
			best = us
		}
	}
	return best, nil
}

// Microseconds of CPU this process has used.
func cpu() float64 {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return float64(used.Utime.Nano()+used.Stime.Nano()) / 1e3
}
