package detect

import (
	"slices"
	"time"

	"github.com/firebreak-io/firebreak/detect/baseline"
	"github.com/firebreak-io/firebreak/detect/pack"
	"github.com/firebreak-io/firebreak/internal/event"
)

// intervals are those that are not over, of each entity.
type intervals struct {
	every, grace time.Duration
	most         int
	at           map[intervalKey]*interval
	order        []*interval
	// due is when the first of them is over, newest the last in which something
	// came, judged the last that was looked at for who was silent.
	due            int64
	newest, judged int64
	bytes          int
	// late are events of intervals that were over, and lines whose summary had not
	// come until then; left those of entities for which there was no room.
	late, left uint64
}

type intervalKey struct {
	entity baseline.Key
	n      int64
}

// interval is one, of one entity.
type interval struct {
	intervalKey
	who   baseline.Who
	cells []cell
	// like is an event with what all of the interval's have in common.
	like    event.Event
	version string
	origin  string
	// counted says that it is all there: of lines that a summary counts too, that
	// the summary came.
	counted bool
	count   uint64
	first   []event.Address
	last    []event.Address
	bytes   int
}

// sampled is how many of its first and how many of its last events an interval
// names.
const sampled = 8

// maxLike is how many bytes what an interval's events have in common may be
// written in.
const maxLike = 256 << 10

// maxIntervals is how many there are at most.
const maxIntervals = 20_000

func newIntervals(every time.Duration, l Limits) intervals {
	return intervals{every: every, grace: l.Late, most: max(1, min(l.Groups, maxIntervals)), at: map[intervalKey]*interval{}}
}

func (in *interval) end(every time.Duration) time.Time {
	return time.Unix(0, (in.n+1)*int64(every)).UTC()
}

func (in *interval) events() []event.Address { return slices.Concat(in.first, in.last) }

// intervalOf is the interval that an event falls into; nil when it is over, or
// there is no room.
func (m *modeller) intervalOf(e *event.Event, now Moment) *interval {
	n := now.Time.UnixNano() / int64(m.open.every)
	if (n+1)*int64(m.open.every)+int64(m.open.grace) <= now.Now.UnixNano() {
		m.open.late++
		m.missedOut("it came when its interval was over")
		return nil
	}
	who := m.who(e)
	k := intervalKey{who.Entity, n}
	if in := m.open.at[k]; in != nil {
		return in
	}
	if len(m.open.order) >= m.open.most && !m.open.room(m.base, who) {
		m.open.left++
		m.missedOut("there is no room for another interval")
		return nil
	}
	in := &interval{intervalKey: k, who: who, cells: make([]cell, m.cells), origin: origin(e)}
	m.open.at[k], m.open.order = in, append(m.open.order, in)
	if end := in.end(m.open.every).Add(m.open.grace).UnixNano(); m.open.due == 0 || end < m.open.due {
		m.open.due = end
	}
	return in
}

// came notes that something came in an interval.
func (o *intervals) came(n int64) {
	if o.newest == 0 {
		o.judged = n
	}
	o.newest = max(o.newest, n)
}

// room takes the place of an entity that nobody knows for one that is known.
func (o *intervals) room(base *baseline.Store, who baseline.Who) bool {
	if base.Find(who.Entity) == nil {
		return false
	}
	i := slices.IndexFunc(o.order, func(in *interval) bool { return base.Find(in.entity) == nil })
	if i < 0 {
		return false
	}
	o.left++
	o.drop(o.order[i])
	o.order = slices.Delete(o.order, i, i+1)
	return true
}

func (o *intervals) drop(in *interval) {
	delete(o.at, in.intervalKey)
	o.bytes -= in.bytes
}

func (o *intervals) weigh(in *interval) {
	n := 900 + 120*(len(in.first)+len(in.last))
	for i := range in.cells {
		n += in.cells[i].bytes()
	}
	o.bytes += n - in.bytes
	in.bytes = n
}

// over takes out the intervals that are, the oldest first.
func (o *intervals) over(now time.Time) []*interval {
	if o.due == 0 || now.UnixNano() < o.due {
		return nil
	}
	var out []*interval
	o.due = 0
	o.order = slices.DeleteFunc(o.order, func(in *interval) bool {
		end := in.end(o.every).Add(o.grace).UnixNano()
		if end > now.UnixNano() {
			if o.due == 0 || end < o.due {
				o.due = end
			}
			return false
		}
		if o.drop(in); in.counted {
			out = append(out, in)
		} else {
			o.late += in.count
		}
		return true
	})
	slices.SortStableFunc(out, func(a, b *interval) int { return int(min(1, max(-1, a.n-b.n))) })
	return out
}

// note keeps what all events of the interval have in common, and where the
// first and the last of them are.
func (in *interval) note(e *event.Event, at event.Address) {
	if in.count == 0 {
		in.like = event.Event{
			Source: e.Source, Class: e.Class, Time: e.Time, Received: e.Received, Cluster: e.Cluster, Trust: e.Trust, Actor: e.Actor, Object: e.Object,
		}
		in.like.Actor.Groups, in.like.Object.Labels = slices.Clone(e.Actor.Groups), nil
	} else {
		in.like.Trust = min(in.like.Trust, e.Trust)
		in.like.Object = commonRef(in.like.Object, e.Object)
		in.like.Actor = commonActor(in.like.Actor, e.Actor)
	}
	in.count++
	if len(in.first) < sampled {
		in.first = append(in.first, at)
		return
	}
	if len(in.last) >= sampled {
		in.last = slices.Delete(in.last, 0, 1)
	}
	in.last = append(in.last, at)
}

// commonRef is what two objects have in common.
func commonRef(a, b event.Ref) event.Ref {
	for _, t := range [][2]*string{
		{&a.Group, &b.Group}, {&a.Resource, &b.Resource}, {&a.Subresource, &b.Subresource}, {&a.Kind, &b.Kind},
		{&a.Namespace, &b.Namespace}, {&a.Node, &b.Node}, {&a.Image, &b.Image}, {&a.Digest, &b.Digest}, {&a.Container, &b.Container},
		{&a.ContainerID, &b.ContainerID}, {&a.ServiceAccount, &b.ServiceAccount},
	} {
		keepEqual(t[0], *t[1])
	}
	if a.Name != b.Name || a.UID != b.UID {
		a.Name, a.UID, a.ContainerID = "", "", ""
	}
	if a.Workload != b.Workload {
		a.Workload = event.Workload{}
	}
	return a
}

func commonActor(a, b event.Actor) event.Actor {
	for _, t := range [][2]*string{
		{&a.User, &b.User}, {&a.Impersonated, &b.Impersonated}, {&a.ServiceAccount, &b.ServiceAccount}, {&a.Address, &b.Address},
		{&a.UserAgent, &b.UserAgent}, {&a.Process, &b.Process},
	} {
		keepEqual(t[0], *t[1])
	}
	if !slices.Equal(a.Groups, b.Groups) {
		a.Groups = nil
	}
	if a.Pod.Name != b.Pod.Name || a.Pod.UID != b.Pod.UID || a.Pod.Namespace != b.Pod.Namespace {
		a.Pod = event.Ref{}
	}
	return a
}

func keepEqual(a *string, b string) {
	if *a != b {
		*a = ""
	}
}

func (in *interval) save(out *pack.Writer) {
	out.Fixed(in.entity[:])
	out.Int(in.n)
	out.Fixed(in.who.Peers[:])
	out.Uint(in.who.Space)
	out.Text(in.who.Label)
	saveJSON(out, &in.like)
	out.Text(in.version)
	out.Text(in.origin)
	out.Bool(in.counted)
	out.Uint(in.count)
	saveJSON(out, in.first)
	saveJSON(out, in.last)
	for i := range in.cells {
		in.cells[i].save(out)
	}
}

func (in *interval) load(from *pack.Reader) {
	copy(in.entity[:], from.Fixed(len(in.entity)))
	in.n = from.Int()
	copy(in.who.Peers[:], from.Fixed(len(in.who.Peers)))
	in.who.Entity, in.who.Space, in.who.Label = in.entity, from.Uint(), from.Text()
	loadJSON(from, &in.like, maxLike)
	in.version, in.origin, in.counted, in.count = from.Text(), from.Text(), from.Bool(), from.Uint()
	loadJSON(from, &in.first, maxLike)
	loadJSON(from, &in.last, maxLike)
	if len(in.first) > sampled || len(in.last) > sampled {
		from.Fail()
	}
	for i := range in.cells {
		in.cells[i].load(from)
	}
}
