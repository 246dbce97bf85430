package window

// order keeps groups by when they were last used, apart for each namespace, and
// in each in two lists: those of one event, and those of more. The ones of a
// single event go first.
type order struct {
	spaces []*space
	at     map[uint64]int
}

// space is the groups of one namespace.
type space struct {
	id          uint64
	once, often list
}

func (s *space) n() int { return s.once.n + s.often.n }

// maxSpaces is how many namespaces are kept apart; more of them share.
const maxSpaces = 256

// link is a group's place in its list.
type link struct {
	older, newer *group
	space        int32
	often        bool
}

type list struct {
	oldest, newest *group
	n              int
}

func (l *list) push(g *group) {
	g.older, g.newer = l.newest, nil
	if l.newest != nil {
		l.newest.newer = g
	} else {
		l.oldest = g
	}
	l.newest = g
	l.n++
}

func (l *list) cut(g *group) {
	if g.older != nil {
		g.older.newer = g.newer
	} else {
		l.oldest = g.newer
	}
	if g.newer != nil {
		g.newer.older = g.older
	} else {
		l.newest = g.older
	}
	g.older, g.newer = nil, nil
	l.n--
}

// index is the place of a namespace's groups.
func (o *order) index(id uint64) int {
	if i, ok := o.at[id]; ok {
		return i
	}
	if len(o.spaces) >= maxSpaces {
		return int(id % maxSpaces) // #nosec G115 -- bounded
	}
	if o.at == nil {
		o.at = map[uint64]int{}
	}
	o.at[id] = len(o.spaces)
	o.spaces = append(o.spaces, &space{id: id})
	return len(o.spaces) - 1
}

func (o *order) of(g *group) *list {
	s := o.spaces[g.space]
	if g.often {
		return &s.often
	}
	return &s.once
}

func (o *order) add(g *group) { o.of(g).push(g) }

// touch says that a group was used.
func (o *order) touch(g *group) {
	o.of(g).cut(g)
	g.often = g.events > 1
	o.of(g).push(g)
}

func (o *order) remove(g *group) { o.of(g).cut(g) }

// least is the group that is missed least: of the namespace that has most of
// them.
func (o *order) least() *group {
	var most *space
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
func (s *space) least() *group {
	if s.once.n > 0 && s.once.n*minOnce >= s.often.n || s.often.n == 0 {
		return s.once.oldest
	}
	return s.often.oldest
}

// minOnce is how many groups of more events there may be for one of a single
// event.
const minOnce = 10

// stale is a group that was last used before a pane, if there is one at the
// end of a list.
func (o *order) stale(oldest int64) *group {
	for _, s := range o.spaces {
		for _, l := range []*list{&s.once, &s.often} {
			if l.oldest != nil && l.oldest.newest < oldest {
				return l.oldest
			}
		}
	}
	return nil
}

// all gives the groups of each list, the longest unused first.
func (o *order) all(yield func(*group) bool) {
	for _, s := range o.spaces {
		for _, l := range []*list{&s.once, &s.often} {
			for g := l.oldest; g != nil; g = g.newer {
				if !yield(g) {
					return
				}
			}
		}
	}
}
