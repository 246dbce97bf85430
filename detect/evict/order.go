// Package evict keeps the groups that a detector remembers in the order in
// which they may go when there are too many: apart for each namespace, so that
// nobody can push out what others have, and those that came once before those
// that came again. Everything is deterministic. Nothing here is safe for
// concurrent use.
package evict

// Share is the part of all groups that one namespace may have.
const Share = 0.3

// MaxSpaces is how many namespaces are kept apart; more of them share.
const MaxSpaces = 256

// Link is a group's place in an [Order]; the group embeds it.
type Link[T any] struct {
	older, newer T
	space        int32
	often        bool
}

// Place gives the link itself.
func (l *Link[T]) Place() *Link[T] { return l }

// Often says that the group is of those that came more than once.
func (l *Link[T]) Often() bool { return l.often }

// Space is the place of the group's namespace in [Order.Spaces].
func (l *Link[T]) Space() int { return int(l.space) }

// In puts a group that is in no order yet into a namespace's place.
func (l *Link[T]) In(space int, often bool) { l.space, l.often = int32(space), often } // #nosec G115 -- below MaxSpaces

type member[T any] interface {
	comparable
	Place() *Link[T]
}

// Order keeps groups by when they were last used. The zero value is empty.
type Order[T member[T]] struct {
	spaces []*space[T]
	at     map[uint64]int
	n      int
}

// space is the groups of one namespace.
type space[T member[T]] struct {
	id          uint64
	once, often list[T]
}

func (s *space[T]) n() int { return s.once.n + s.often.n }

type list[T member[T]] struct {
	oldest, newest T
	n              int
}

func (l *list[T]) push(g T) {
	var none T
	p := g.Place()
	p.older, p.newer = l.newest, none
	if l.newest != none {
		l.newest.Place().newer = g
	} else {
		l.oldest = g
	}
	l.newest = g
	l.n++
}

func (l *list[T]) cut(g T) {
	var none T
	p := g.Place()
	if p.older != none {
		p.older.Place().newer = p.newer
	} else {
		l.oldest = p.newer
	}
	if p.newer != none {
		p.newer.Place().older = p.older
	} else {
		l.newest = p.older
	}
	p.older, p.newer = none, none
	l.n--
}

// Len is how many groups there are.
func (o *Order[T]) Len() int { return o.n }

// Index is the place of a namespace's groups; 0 is no namespace.
func (o *Order[T]) Index(id uint64) int {
	if i, ok := o.at[id]; ok {
		return i
	}
	if len(o.spaces) >= MaxSpaces {
		return int(id % MaxSpaces) // #nosec G115 -- bounded
	}
	if o.at == nil {
		o.at = map[uint64]int{}
	}
	o.at[id] = len(o.spaces)
	o.spaces = append(o.spaces, &space[T]{id: id})
	return len(o.spaces) - 1
}

// Spaces are the namespaces in the order of their places, for saving. Told to
// Index of an empty order in that order they have the same places there.
func (o *Order[T]) Spaces() []uint64 {
	ids := make([]uint64, len(o.spaces))
	for i, s := range o.spaces {
		ids[i] = s.id
	}
	return ids
}

func (o *Order[T]) of(g T) *list[T] {
	s := o.spaces[g.Place().space]
	if g.Place().often {
		return &s.often
	}
	return &s.once
}

// Add puts a group where its link says, behind all others.
func (o *Order[T]) Add(g T) {
	o.of(g).push(g)
	o.n++
}

// Touch says that a group was used, and whether that was more than once.
func (o *Order[T]) Touch(g T, often bool) {
	o.of(g).cut(g)
	g.Place().often = often
	o.of(g).push(g)
}

// Remove takes a group out.
func (o *Order[T]) Remove(g T) {
	o.of(g).cut(g)
	o.n--
}

// Room gives a group that has to go before one more of a namespace's place may
// come, where there may be so many together: while the namespace has its share,
// one of its own.
func (o *Order[T]) Room(space, most int) (g T, full bool) {
	s := o.spaces[space]
	if s.id != 0 && s.n() >= max(1, int(Share*float64(most))) {
		return s.least(), true
	}
	if o.n >= max(1, most) {
		return o.Least(), true
	}
	return g, false
}

// Least is the group that is missed least: of the namespace that has most of
// them. There has to be one.
func (o *Order[T]) Least() T {
	var most *space[T]
	for _, s := range o.spaces {
		if most == nil || s.n() > most.n() {
			most = s
		}
	}
	return most.least()
}

// least is the group of a namespace that is missed least. Where hardly any
// group has only one event, a new one would be pushed out before its second:
// then the oldest of the others goes.
func (s *space[T]) least() T {
	if s.once.n > 0 && s.once.n*minOnce >= s.often.n || s.often.n == 0 {
		return s.once.oldest
	}
	return s.often.oldest
}

// minOnce is how many groups of more events there may be for one of a single
// event.
const minOnce = 10

// Oldest gives the group of each list that was not used for longest.
func (o *Order[T]) Oldest(yield func(T) bool) {
	var none T
	for _, s := range o.spaces {
		for _, l := range []*list[T]{&s.once, &s.often} {
			if l.oldest != none && !yield(l.oldest) {
				return
			}
		}
	}
}

// All gives the groups of each list, the longest unused first.
func (o *Order[T]) All(yield func(T) bool) {
	var none T
	for _, s := range o.spaces {
		for _, l := range []*list[T]{&s.once, &s.often} {
			for g := l.oldest; g != none; g = g.Place().newer {
				if !yield(g) {
					return
				}
			}
		}
	}
}
