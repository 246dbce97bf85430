package ingest

import (
	"slices"
	"strings"
	"testing"
)

// What a program writes can hide neither its own line nor those of others in
// the same body, and names no other pod.
func TestRecordThatIsTooMuchIsCut(t *testing.T) {
	const pod = `"kubernetes":{"namespace_name":"shop","pod_name":"web-1","container_name":"app"}`
	nested := func(n int) string { return strings.Repeat("[", n) + strings.Repeat("]", n) }
	for name, more := range map[string]string{
		"deep":            `"x":` + nested(80),
		"very deep":       `"x":` + nested(12_000),
		"long":            `"x":"` + strings.Repeat("a", 2<<20) + `"`,
		"a long list":     `"x":[` + strings.Repeat("1,", 11_000) + `1]`,
		"many values":     `"x":1` + manyNames(120_000),
		"another's name":  `"kubernetes":{"namespace_name":"kube-system","pod_name":"victim"},"x":` + nested(80),
		"bytes, and deep": "\"y\":\"\xff\",\"x\":" + nested(80),
	} {
		t.Run(name, func(t *testing.T) {
			record := "{" + more + `,"log":"GET /evil","stream":"stdout",` + pod + "}"
			body := `[{"log":"before",` + pod + `},` + record + `,{"log":"after",` + pod + `}]`
			events, rejects := decodeRecords([]byte(body), nil, Origin{})
			if len(events) != 3 || len(rejects) != 0 {
				t.Fatalf("%d events, rejects %.200v", len(events), rejects)
			}
			e := events[1]
			if e.Message != "GET /evil" || e.Object.Name != "web-1" || e.Object.Namespace != "shop" || !slices.Contains(e.Tags, TagCut) {
				t.Errorf("%.80q of %+v, tags %v", e.Message, e.Object, e.Tags)
			}
			if again, _ := decodeRecords([]byte(body), nil, Origin{}); again[1].ID != e.ID {
				t.Error("sent again it has another id")
			}
		})
	}
}

func TestLongLineOfAShipperIsCut(t *testing.T) {
	body := `{"log":"GET /evil ` + strings.Repeat("a", 3<<20) + `"}`
	events, rejects := decodeRecords([]byte(body), nil, Origin{})
	if len(events) != 1 || len(rejects) != 0 || !strings.HasPrefix(events[0].Message, "GET /evil") || len(events[0].Message) > maxField {
		t.Errorf("%d events, rejects %.200v", len(events), rejects)
	}
}
