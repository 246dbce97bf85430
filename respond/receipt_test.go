package respond

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"errors"
	"math/big"
	mathrand "math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/respond/receipt"
	"github.com/firebreak-io/firebreak/respond/runlog"
)

// written is a receipt of a run that acted, was extended and undone.
func written(t *testing.T) []byte {
	t.Helper()
	r := newRig(t, newCluster("a"), actBook).start()
	r.publish(finding("shell", "a", 1))
	r.until("the run holds", r.all(1, event.RunHolding))
	id := r.runs()[0].ID
	r.say(event.Input{Run: id, Kind: event.InputExtend, User: "ann", Until: time.Now().UTC().Add(2 * time.Hour)})
	r.say(event.Input{Run: id, Kind: event.InputUndo, User: "ann"})
	r.until("the run is closed", r.all(1, event.RunClosed))
	records, err := runlog.New(r.bus, 0).Receipt(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := receipt.Write(&out, id, records); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestReceiptProves: a receipt as it was written holds, and any of ten thousand
// mutations of it does not.
func TestReceiptProves(t *testing.T) {
	text := written(t)
	proof, err := receipt.Verify(bytes.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	if len(proof.Effects) != 1 || proof.Effects[0].Intent == 0 || proof.Effects[0].Done <= proof.Effects[0].Intent ||
		proof.Effects[0].Undone <= proof.Effects[0].Done || proof.State != event.RunClosed {
		t.Errorf("proof %+v", proof)
	}
	if _, err := receipt.Verify(bytes.NewReader(text), proof.Head); err != nil {
		t.Error(err)
	}
	if _, err := receipt.Verify(bytes.NewReader(text), strings.Repeat("0", 64)); !errors.Is(err, receipt.ErrDisproved) {
		t.Errorf("with another head: %v", err)
	}
	mutations := 10_000
	if os.Getenv("FIREBREAK_TORTURE") != "" {
		mutations = 1_000_000
	}
	seed, err := rand.Int(rand.Reader, big.NewInt(1<<62))
	if err != nil {
		t.Fatal(err)
	}
	random := mathrand.New(mathrand.NewPCG(seed.Uint64(), 0))
	done := 0
	for done < mutations {
		changed := mutate(random, text)
		if bytes.Equal(changed, text) {
			continue
		}
		done++
		if _, err := receipt.Verify(bytes.NewReader(changed), ""); !errors.Is(err, receipt.ErrDisproved) {
			t.Fatalf("seed %d: a mutation went undetected: %v\n%s", seed, err, changed)
		}
	}
	t.Logf("%d mutations of a receipt of %d records, all detected", done, proof.Records)
}

// mutate changes a byte, or takes out, doubles or exchanges lines, or cuts, or
// edits a value.
func mutate(random *mathrand.Rand, text []byte) []byte {
	out := bytes.Clone(text)
	lines := bytes.SplitAfter(bytes.TrimSuffix(out, []byte("\n")), []byte("\n"))
	lines[len(lines)-1] = append(bytes.Clone(lines[len(lines)-1]), '\n')
	i, j := random.IntN(len(lines)), random.IntN(len(lines))
	switch random.IntN(8) {
	case 0, 1:
		out[random.IntN(len(out))] ^= byte(1 << random.IntN(8))
		return out
	case 2:
		lines = append(lines[:i:i], lines[i+1:]...)
	case 3:
		lines = append(lines[:i+1:i+1], lines[i:]...)
	case 4:
		lines[i], lines[j] = lines[j], lines[i]
	case 5:
		return out[:random.IntN(len(out))]
	case 6:
		at := random.IntN(len(out))
		return append(out[:at:at], append([]byte(" "), text[at:]...)...)
	case 7:
		var record map[string]any
		if json.Unmarshal(lines[i], &record) != nil {
			return out
		}
		keys := []string{"state", "reason", "epoch", "record", "nonce", "created", "starter"}
		record[keys[random.IntN(len(keys))]] = "x"
		edited, err := json.Marshal(record)
		if err != nil {
			return out
		}
		lines[i] = append(edited, '\n')
	}
	return bytes.Join(lines, nil)
}

// TestReceiptTellsWhatCannotBe: records whose hashes are right, and that say
// what no responder writes.
func TestReceiptTellsWhatCannotBe(t *testing.T) {
	text := written(t)
	lines := bytes.Split(bytes.TrimSpace(text), []byte("\n"))
	tests := map[string]struct {
		change func(n int, run *event.Run)
		want   string
	}{
		"an effect without an intent": {func(_ int, run *event.Run) {
			for i := range run.Steps {
				if run.Steps[i].State == event.StepIntent {
					run.Steps[i].State = event.StepPlanned
				}
			}
		}, "no record before it meant"},
		"another playbook in the middle": {func(n int, run *event.Run) {
			if n > 2 {
				run.Spec += " "
			}
		}, "the playbook is another"},
		"another target in the middle": {func(n int, run *event.Run) {
			if n > 2 {
				run.Target.UID = "other"
			}
		}, "the target is another"},
		"an older lease after a newer": {func(n int, run *event.Run) { run.Epoch = uint64(100 - n) }, "it was written under lease"},
		"a plan that nobody approved": {func(_ int, run *event.Run) {
			for i := range run.Steps {
				run.Steps[i].Approved = "another"
			}
		}, "was approved"},
		"a run that goes on after its end": {func(n int, run *event.Run) {
			if n == 2 {
				run.State = event.RunDenied
			}
		}, "the run was over"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			var forged [][]byte
			previous := ""
			for n, line := range lines[:len(lines)-1] {
				var run event.Run
				if err := json.Unmarshal(line, &run); err != nil {
					t.Fatal(err)
				}
				tt.change(n, &run)
				run.Previous = previous
				data, err := json.Marshal(run)
				if err != nil {
					t.Fatal(err)
				}
				previous = receipt.Hash(data)
				forged = append(forged, data)
			}
			var out bytes.Buffer
			var run event.Run
			if err := json.Unmarshal(lines[0], &run); err != nil {
				t.Fatal(err)
			}
			if err := receipt.Write(&out, run.ID, forged); err != nil {
				t.Fatal(err)
			}
			if _, err := receipt.Verify(&out, ""); !errors.Is(err, receipt.ErrDisproved) || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func FuzzVerifyReceipt(f *testing.F) {
	f.Add([]byte("{}\n"))
	f.Add([]byte(`{"id":"a","record":1,"steps":[]}` + "\n" + `{"run":"a","records":1,"head":"x"}` + "\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if _, err := receipt.Verify(bytes.NewReader(data), ""); err != nil && !errors.Is(err, receipt.ErrDisproved) {
			t.Error(err)
		}
	})
}
