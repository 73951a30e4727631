// Proposes what is in a directory to Rekor's own code, and prints the proposals with the bodies and index keys it makes of them.
package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/go-openapi/runtime"
	"github.com/theupdateframework/go-tuf/data"
	"github.com/theupdateframework/go-tuf/pkg/keys"
	"github.com/theupdateframework/go-tuf/sign"
	gocose "github.com/veraison/go-cose"
	"golang.org/x/crypto/blake2b"

	"github.com/sigstore/rekor/pkg/generated/models"
	"github.com/sigstore/rekor/pkg/types"
	_ "github.com/sigstore/rekor/pkg/types/alpine/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/cose/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/dsse/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/hashedrekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/helm/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/intoto/v0.0.2"
	_ "github.com/sigstore/rekor/pkg/types/jar/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/rekord/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/rfc3161/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/rpm/v0.0.1"
	_ "github.com/sigstore/rekor/pkg/types/tuf/v0.0.1"
)

type object = map[string]any

type vector struct {
	Name     string   `json:"name"`
	Proposal object   `json:"proposal"`
	Body     string   `json:"body"`
	Keys     []string `json:"keys"`
}

var (
	directory string
	vectors   []vector
)

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

func file(name string) []byte { return must(os.ReadFile(filepath.Join(directory, name))) }

func b64(content []byte) string { return base64.StdEncoding.EncodeToString(content) }

func propose(name, kind string, spec object) {
	proposal := object{"kind": kind, "apiVersion": "0.0.1", "spec": spec}
	sent := must(json.Marshal(proposal))
	parsed := must(models.UnmarshalProposedEntry(bytes.NewReader(sent), runtime.JSONConsumer()))
	entry, err := types.CreateVersionedEntry(parsed)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	body, err := types.CanonicalizeEntry(context.Background(), entry)
	if err != nil {
		panic(fmt.Sprintf("%s: %v", name, err))
	}
	indexed := must(entry.IndexKeys())
	// As the server stores them.
	for i := range indexed {
		indexed[i] = strings.ToLower(indexed[i])
	}
	sort.Strings(indexed)
	vectors = append(vectors, vector{name, proposal, string(body), indexed})
}

func rekord(name, format string, signature, key, artifact []byte) {
	propose("rekord "+name, "rekord", object{
		"signature": object{"format": format, "content": b64(signature), "publicKey": object{"content": b64(key)}},
		"data":      object{"content": b64(artifact)},
	})
}

func minisign(artifact []byte) {
	public, private := must2(ed25519.GenerateKey(rand.Reader))
	id := []byte("keyid 42")
	key := append(append([]byte("Ed"), id...), public...)
	digest := blake2b.Sum512(artifact)
	blob := func(algorithm string, message []byte) []byte {
		return append(append([]byte(algorithm), id...), ed25519.Sign(private, message)...)
	}
	complete := func(blob []byte) []byte {
		comment := "timestamp:1\tfile:artifact"
		global := ed25519.Sign(private, append(append([]byte{}, blob[10:]...), comment...))
		return []byte("untrusted comment: a signature\n" + b64(blob) + "\ntrusted comment: " + comment + "\n" + b64(global) + "\n")
	}
	text := []byte("untrusted comment: a key\n" + b64(key) + "\n")
	rekord("minisign, prehashed", "minisign", complete(blob("ED", digest[:])), text, artifact)
	rekord("minisign, legacy", "minisign", complete(blob("Ed", artifact)), []byte(b64(key)), artifact)
	rekord("minisign, as signify", "minisign", []byte("untrusted comment: signify\n"+b64(blob("Ed", artifact))+"\n"), text, artifact)
	rekord("minisign, the key alone", "minisign", complete(blob("ED", digest[:])), public, artifact)
}

func must2[A, B any](a A, b B, err error) (A, B) {
	if err != nil {
		panic(err)
	}
	return a, b
}

func key(name string) any {
	block, _ := pem.Decode(file(name))
	return must(x509.ParsePKCS8PrivateKey(block.Bytes))
}

func cose() {
	statement := []byte(`{"_type":"https://in-toto.io/Statement/v1","subject":[{"name":"a","digest":{"sha256":"` + strings.Repeat("ab", 32) + `","sha1":"` + strings.Repeat("cd", 20) + `"}}]}`)
	sign := func(name, private, public string, algorithm gocose.Algorithm, headers gocose.Headers, payload, aad []byte) {
		signer := must(gocose.NewSigner(algorithm, key(private).(crypto.Signer)))
		message := must(gocose.Sign1(rand.Reader, signer, headers, payload, aad))
		data := object{}
		if aad != nil {
			data["aad"] = b64(aad)
		}
		propose("cose "+name, "cose", object{"message": b64(message), "publicKey": b64(file(public)), "data": data})
	}
	headers := func(algorithm gocose.Algorithm) gocose.Headers {
		return gocose.Headers{
			Protected: gocose.ProtectedHeader{
				gocose.HeaderLabelAlgorithm:   algorithm,
				gocose.HeaderLabelContentType: "application/vnd.in-toto+json",
				"text":                        []any{int64(1), "two", []byte{3}, map[any]any{"four": nil}, -5.5, true},
			},
			Unprotected: gocose.UnprotectedHeader{gocose.HeaderLabelKeyID: []byte("key")},
		}
	}
	sign("ES256", "ec.key", "ec.pub", gocose.AlgorithmES256, headers(gocose.AlgorithmES256), statement, nil)
	sign("ES256 with external data", "ec.key", "chain.pem", gocose.AlgorithmES256, gocose.Headers{}, []byte("payload"), []byte("external"))
	sign("PS256", "rsa.key", "rsa.pub", gocose.AlgorithmPS256, headers(gocose.AlgorithmPS256), statement, []byte{})
}

func timestamps() {
	for _, name := range []string{"ec-sha512-certificates", "rsa-sha256-certificates"} {
		propose("rfc3161 "+name, "rfc3161", object{"tsr": object{"content": b64(file(name + ".tsr"))}})
	}
}

func tuf() {
	root := data.NewRoot()
	root.Expires = time.Date(2999, 1, 1, 0, 0, 0, 0, time.UTC)
	root.Version = 3
	signers := []keys.Signer{must(keys.GenerateEd25519Key()), must(keys.GenerateEcdsaKey())}
	for _, signer := range signers {
		root.AddKey(signer.PublicData())
	}
	ids := func(signers ...keys.Signer) (ids []string) {
		for _, signer := range signers {
			ids = append(ids, signer.PublicData().IDs()...)
		}
		return
	}
	root.Roles["root"] = &data.Role{KeyIDs: ids(signers...), Threshold: 2}
	root.Roles["targets"] = &data.Role{KeyIDs: ids(signers...), Threshold: 1}
	root.Roles["snapshot"] = &data.Role{KeyIDs: ids(signers[0]), Threshold: 1}
	root.Roles["timestamp"] = &data.Role{KeyIDs: ids(signers[1]), Threshold: 1}
	timestamp := data.NewTimestamp()
	timestamp.Expires = root.Expires
	timestamp.Version = 42
	custom := json.RawMessage(`{"text":"ü <&> \u2028 \"\\ \n","list":[1,true,null],"z":"","é":1,"Z":2}`)
	timestamp.Custom = &custom
	timestamp.Meta["snapshot.json"] = data.TimestampFileMeta{Version: 7, Length: 1234}
	signed := func(document any, signers ...keys.Signer) any {
		signed := must(sign.Marshal(document, signers...))
		var content any
		if err := json.Unmarshal(must(json.Marshal(signed)), &content); err != nil {
			panic(err)
		}
		return content
	}
	signedRoot := signed(root, signers...)
	propose("tuf timestamp", "tuf", object{"metadata": object{"content": signed(timestamp, signers[1])}, "root": object{"content": signedRoot}})
	propose("tuf root", "tuf", object{"metadata": object{"content": signedRoot}, "root": object{"content": signedRoot}})
	encoded := b64(must(json.MarshalIndent(signedRoot, "", "  ")))
	propose("tuf in base64", "tuf", object{"metadata": object{"content": encoded}, "root": object{"content": encoded}})
}

func archive(files ...[2]string) []byte {
	var out bytes.Buffer
	writer := tar.NewWriter(&out)
	for _, file := range files {
		if err := writer.WriteHeader(&tar.Header{Name: file[0], Mode: 0o644, Size: int64(len(file[1])), Typeflag: tar.TypeReg}); err != nil {
			panic(err)
		}
		must(writer.Write([]byte(file[1])))
	}
	// Without the two empty blocks at its end, as abuild cuts it.
	if err := writer.Flush(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func compressed(content []byte) []byte {
	var out bytes.Buffer
	writer := gzip.NewWriter(&out)
	must(writer.Write(content))
	if err := writer.Close(); err != nil {
		panic(err)
	}
	return out.Bytes()
}

func alpine() {
	contents := compressed(append(archive([2]string{"usr/bin/test", "binary"}), make([]byte, 1024)...))
	pkginfo := "# Generated by abuild\n# using fakeroot\npkgname = test\npkgver=1.0-r0\npkgdesc = A test; of packages # cut\nurl = https://example.org/#part\n" +
		"builddate = 1600000000\n\npackager = Jörg <joerg@example.org>\nsize = 4096\narch = x86_64\ndepend = so:libc.musl-x86_64.so.1\ndepend = busybox\n" +
		"license = \"MIT\"\nempty =\nquoted = 'a' and 'b'\ncolon : value = of it\ndatahash = " + hex.EncodeToString(sum256(contents)) + "\n"
	control := compressed(archive([2]string{".pre-install", "#!/bin/sh\n"}, [2]string{".PKGINFO", pkginfo}))
	digest := sha1.Sum(control)
	signature := must(rsa.SignPKCS1v15(rand.Reader, key("rsa.key").(*rsa.PrivateKey), crypto.SHA1, digest[:]))
	signatures := compressed(archive([2]string{".SIGN.RSA.test.rsa.pub", string(signature)}))
	propose("alpine", "alpine", object{
		"publicKey": object{"content": b64(file("rsa.pub"))},
		"package":   object{"content": b64(bytes.Join([][]byte{signatures, control, contents}, nil))},
	})
}

func sum256(content []byte) []byte {
	digest := sha256.Sum256(content)
	return digest[:]
}

type tag struct {
	tag, kind, count uint32
	content          []byte
}

func header(tags []tag) []byte {
	var index, store bytes.Buffer
	for _, tag := range tags {
		for tag.kind == 4 && store.Len()%4 != 0 {
			store.WriteByte(0)
		}
		for _, number := range []uint32{tag.tag, tag.kind, uint32(store.Len()), tag.count} {
			binary.Write(&index, binary.BigEndian, number)
		}
		store.Write(tag.content)
	}
	var out bytes.Buffer
	out.Write([]byte{0x8e, 0xad, 0xe8, 1, 0, 0, 0, 0})
	binary.Write(&out, binary.BigEndian, uint32(len(tags)))
	binary.Write(&out, binary.BigEndian, uint32(store.Len()))
	return append(append(out.Bytes(), index.Bytes()...), store.Bytes()...)
}

func gpg(content []byte, signer string) []byte {
	command := exec.Command("gpg", "--homedir", filepath.Join(directory, "gpg"), "--batch", "--quiet", "--local-user", signer, "--detach-sign")
	command.Stdin = bytes.NewReader(content)
	command.Stderr = os.Stderr
	return must(command.Output())
}

func rpm() {
	text := func(number uint32, value string) tag { return tag{number, 6, 1, append([]byte(value), 0)} }
	payload := compressed([]byte("a cpio archive"))
	tags := []tag{
		text(1000, "test"), text(1001, "1.2.3"), text(1002, "4.el9"), {1003, 4, 1, []byte{0, 0, 0, 2}}, text(1022, "x86_64"),
		{5092, 8, 1, append([]byte(hex.EncodeToString(sum256(payload))), 0)}, {5093, 4, 1, []byte{0, 0, 0, 8}},
	}
	build := func(tags []tag, signatures func(header []byte) []tag) []byte {
		general := header(tags)
		both := append(append([]byte{}, general...), payload...)
		head := header(append([]tag{text(273, hex.EncodeToString(sum256(general)))}, signatures(general)...))
		for len(head)%8 != 0 {
			head = append(head, 0)
		}
		lead := append([]byte{0xed, 0xab, 0xee, 0xdb, 3, 0, 0, 0, 0, 1}, make([]byte, 86)...)
		return bytes.Join([][]byte{lead, head, both}, nil)
	}
	md5 := tag{1004, 7, 16, bytes.Repeat([]byte{0xab}, 16)}
	bin := func(number uint32, content []byte) tag { return tag{number, 7, uint32(len(content)), content} }
	rsa := "rsa@example.org"
	offer := func(name, key string, content []byte) {
		propose("rpm "+name, "rpm", object{"publicKey": object{"content": b64(file(key))}, "package": object{"content": b64(content)}})
	}
	offer("with all signatures", "pgp-rsa.asc", build(tags, func(general []byte) []tag {
		return []tag{bin(268, gpg(general, rsa)), bin(1002, gpg(append(append([]byte{}, general...), payload...), rsa)), md5}
	}))
	offer("without epoch, by a subkey", "pgp-subkey.asc", build(append(append([]tag{}, tags[:3]...), tags[4:]...), func(general []byte) []tag {
		return []tag{bin(268, gpg(general, os.Args[2]))}
	}))
}

func main() {
	directory = os.Args[1]
	artifact := file("artifact")
	for _, name := range []string{"rsa", "ed25519", "curve", "subkey"} {
		rekord("pgp "+name, "pgp", file("pgp-"+name+".sig"), file("pgp-"+name+".asc"), artifact)
	}
	rekord("pgp, both binary", "pgp", file("pgp-rsa.bin"), file("pgp-rsa.pgp"), artifact)
	rekord("pgp, text", "pgp", file("pgp-text.sig"), file("pgp-rsa.asc"), artifact)
	rekord("pgp, SHA-1", "pgp", file("pgp-sha1.sig"), file("pgp-rsa.asc"), artifact)
	rekord("pgp, two blocks", "pgp", file("pgp-rsa.sig"), append(file("pgp-curve.asc"), file("pgp-rsa.asc")...), artifact)
	for _, name := range []string{"ed25519-256", "ecdsa-256", "ecdsa-521", "rsa-3072"} {
		rekord("ssh "+name, "ssh", file("ssh-"+name+".artifact.sig"), file("ssh-"+name+".pub"), artifact)
	}
	withOptions := append([]byte("# a comment\n\nno-pty,command=\"a \\\"b\\\" c\" "), file("ssh-ed25519-256.pub")...)
	rekord("ssh, a line with options", "ssh", file("ssh-ed25519-256.artifact.sig"), withOptions, artifact)
	minisign(artifact)
	for _, name := range []string{"ec", "rsa", "ed25519"} {
		rekord("x509 "+name, "x509", file(name+".sig"), file(name+".pub"), artifact)
	}
	rekord("x509, a certificate", "x509", file("ec.sig"), file("leaf.pem"), artifact)
	rekord("x509, a chain", "x509", file("ec.sig"), file("chain.pem"), artifact)
	cose()
	timestamps()
	propose("helm", "helm", object{
		"publicKey": object{"content": b64(file("pgp-rsa.asc"))},
		"chart":     object{"provenance": object{"content": b64(file("provenance.prov"))}},
	})
	tuf()
	for _, name := range []string{"rsa", "ec"} {
		propose("jar "+name, "jar", object{"archive": object{"content": b64(file(name + ".jar"))}})
	}
	rpm()
	alpine()
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(vectors); err != nil {
		panic(err)
	}
}
