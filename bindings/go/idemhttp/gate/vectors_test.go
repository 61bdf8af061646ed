package gate_test

import (
	"encoding/hex"
	"encoding/json"
	"os"
	"testing"

	idem "libidem.dev/go"
	"libidem.dev/go/idemhttp/gate"
)

// What every implementation must reproduce.
func TestFingerprintsAreThoseOfTheVectors(t *testing.T) {
	text, err := os.ReadFile("../../../../http/vectors/fingerprints.json")
	if err != nil {
		t.Skip("not in the repository")
	}
	var vectors []struct {
		Authority, Query                *string
		Body, Fingerprint, Method, Path string
		Policy, Secret                  string
		Headers                         [][2]string
	}
	if err := json.Unmarshal(text, &vectors); err != nil {
		t.Fatal(err)
	}
	policies := map[string]string{
		"ietf": `{"profile": "ietf"}`,
		"ietf, JSON except sent_at and items.note": `{"profile": "ietf",
			"says": {"body": {"json": {"except": ["sent_at", "items.note"]}}}}`,
		"ietf, JSON only amount": `{"profile": "ietf",
			"says": {"body": {"json": {"only": ["amount"]}}}}`,
		"coalesce": `{"profile": "coalesce"}`,
	}
	checked := 0
	for i, vector := range vectors {
		policy, ok := policies[vector.Policy]
		if !ok {
			t.Fatalf("a policy called %q", vector.Policy)
		}
		secret, err := hex.DecodeString(vector.Secret)
		if err != nil {
			t.Fatal(err)
		}
		engine, err := idem.Open(idem.Config{Secret: secret, Records: 100, Bytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		g, err := gate.New(engine, gate.Policy{Text: policy}, gate.GlobalScope[int]())
		if err != nil {
			t.Fatal(err)
		}
		head := &gate.Head{Method: vector.Method, Path: vector.Path, IsGlobal: true}
		if vector.Authority != nil {
			head.Authority = *vector.Authority
		}
		if vector.Query != nil {
			head.Query, head.HasQuery = *vector.Query, true
		}
		for _, header := range vector.Headers {
			gate.Add(&head.Fields, header[0], header[1])
		}
		bits, err := g.Fingerprint(head, []byte(vector.Body))
		if err != nil {
			t.Fatal(err)
		}
		if got := hex.EncodeToString(bits[:]); got != vector.Fingerprint {
			t.Errorf("%d (%s): %s, not %s", i, vector.Policy, got, vector.Fingerprint)
		}
		checked++
		engine.Close()
	}
	if checked < 10 {
		t.Fatalf("only %d vectors", checked)
	}
}
