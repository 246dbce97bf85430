package console

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/firebreak-io/firebreak/internal/event"
	"github.com/firebreak-io/firebreak/internal/kube/reach"
)

const (
	// pictureAge is how long a picture is shown before the cluster is asked
	// again, pictureTime how long that may take.
	pictureAge  = 15 * time.Second
	pictureTime = 10 * time.Second
	maxPictures = 256
	// maxPeers is how many are drawn on a side; the table lists more.
	maxPeers, maxFlows = 8, 100
)

// picture is who reaches a pod and whom it reaches, by policy, as a drawing and
// as a table.
type picture struct {
	// Lacks says why there is none.
	Lacks           string
	Pod             string
	Held            bool
	At              stamp
	In, Out         []peerView
	MoreIn, MoreOut int
	Height, Middle  int
	Flows           []flowView
	More            int
	Policies        []string
	Always, Unknown []string
}

// peerView is a box of the drawing: Y is its middle.
type peerView struct {
	Y          int
	Name, Port string
}

type flowView struct{ Way, Peer, Ports, By string }

// gallery keeps pictures for a moment, and makes one at a time: each reads all
// policies of the cluster. It may be used concurrently.
type gallery struct {
	house  House
	now    func() time.Time
	making sync.Mutex
	mu     sync.Mutex
	kept   map[string]*picture
	at     map[string]time.Time
}

func newGallery(h House, now func() time.Time) *gallery {
	return &gallery{house: h, now: now, kept: map[string]*picture{}, at: map[string]time.Time{}}
}

// of is the picture of a run's target: another one for each of its records.
func (g *gallery) of(ctx context.Context, r event.Run, logger *slog.Logger) *picture {
	target := r.Target
	key := fmt.Sprintf("%s/%s %s %d", target.Namespace, target.Name, r.ID, r.Record)
	if p := g.recent(key); p != nil {
		return p
	}
	g.making.Lock()
	defer g.making.Unlock()
	if p := g.recent(key); p != nil {
		return p
	}
	limited, cancel := context.WithTimeout(ctx, pictureTime)
	defer cancel()
	report, err := g.house.Reach(limited, target.Namespace, target.Name)
	p := &picture{Lacks: "The cluster can't be asked now."}
	switch {
	case err == nil:
		p = draw(report, at(g.now()))
	case ctx.Err() != nil:
		return p
	default:
		if errors.Is(err, reach.ErrUnknownPod) {
			p.Lacks = "The pod is not running."
		} else {
			logger.WarnContext(ctx, "draw containment", "namespace", target.Namespace, "pod", target.Name, "error", err)
		}
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.kept) >= maxPictures {
		clear(g.kept)
		clear(g.at)
	}
	g.kept[key], g.at[key] = p, g.now()
	return p
}

func (g *gallery) recent(key string) *picture {
	g.mu.Lock()
	defer g.mu.Unlock()
	if p := g.kept[key]; p != nil && g.now().Sub(g.at[key]) < pictureAge {
		return p
	}
	return nil
}

// rowHeight is how much a box of the drawing takes.
const rowHeight = 52

func draw(r *reach.Report, now stamp) *picture {
	p := &picture{Pod: line(r.Pod, maxName), Held: r.Held(), At: now, Always: lines(r.Always, 300, 20), Unknown: lines(append(slices.Clone(r.Doubts), r.Unknown...), 300, 20)}
	if r.HostNetwork {
		p.Unknown = append([]string{"the pod uses its node's network: no policy binds it"}, p.Unknown...)
	}
	p.In, p.MoreIn = boxes(r.Ingress)
	p.Out, p.MoreOut = boxes(r.Egress)
	rows := max(len(p.In), len(p.Out), 1)
	p.Height, p.Middle = rows*rowHeight+16, rows*rowHeight/2+8
	for _, f := range r.Flows() {
		if len(p.Flows) == maxFlows {
			p.More++
			continue
		}
		way, by := "to", "no policy forbids it"
		if f.Direction == reach.Ingress.String() {
			way = "from"
		}
		if f.By.Kind != "" {
			by = line(f.By.String(), 200)
		}
		p.Flows = append(p.Flows, flowView{way, line(f.Peer.String(), 300), line(f.Ports.String(), 200), by})
	}
	for _, policy := range append(slices.Clone(r.Policies.Egress), r.Policies.Ingress...) {
		if text := line(policy.String(), 200); !slices.Contains(p.Policies, text) && len(p.Policies) < 40 {
			p.Policies = append(p.Policies, text)
		}
	}
	return p
}

func boxes(flows []reach.Flow) (list []peerView, more int) {
	for i, f := range flows {
		if i == maxPeers {
			return list, len(flows) - maxPeers
		}
		list = append(list, peerView{Y: i*rowHeight + rowHeight/2 + 8, Name: line(f.Peer.String(), 34), Port: line(f.Ports.String(), 30)})
	}
	return list, 0
}

// Line is the way between a peer's box and the pod's, from left to right; x is
// where the peer's box ends or begins.
func (p *picture) Line(side string, peer peerView) string {
	if side == "in" {
		return fmt.Sprintf("M 232 %d C 264 %d, 264 %d, 296 %d", peer.Y, peer.Y, p.Middle, p.Middle)
	}
	return fmt.Sprintf("M 484 %d C 516 %d, 516 %d, 548 %d", p.Middle, p.Middle, peer.Y, peer.Y)
}

// Top, First and Second are where a peer's box begins and its two lines stand.
func (p peerView) Top() int    { return p.Y - 20 }
func (p peerView) First() int  { return p.Y - 3 }
func (p peerView) Second() int { return p.Y + 13 }

// Top and Base are where the pod's box begins and its name stands, Short is the
// name as far as it fits.
func (p *picture) Top() int      { return p.Middle - 24 }
func (p *picture) Base() int     { return p.Middle + 4 }
func (p *picture) Short() string { return line(p.Pod, 22) }
