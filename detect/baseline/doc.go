// Package baseline remembers what is usual for an entity, for its peers and for
// all, in bounded memory, and says how unusual something is against that.
//
// Of values (a user agent, an image, what was done to which resource) it tells
// the surprisal in bits: how often the entity had the value, and where it did
// not, its peers, and where they did not, all, each as far as new values are
// usual for it (Witten and Bell, "The zero-frequency problem", 1991). Who always
// does the same surprises with anything new; who does something new every day
// does not.
//
// Of numbers it tells how many deviations they are from what is usual at that
// hour of the week, slowly forgotten, and from the last hour; so a daily peak is
// no anomaly and a jump is one. A new version of a workload has a time of grace,
// in which its own past counts less, as far as new versions of others go.
//
// Memory is bounded by entities and bytes. What goes first is what came once, of
// the namespace that has most; what has been there for long goes last. Before an
// entity has been there for some time it changes nothing for the others: a
// million invented names do not make the usual of the real ones.
//
// Time comes from the caller: the same observations give the same answers. After
// Save and Load they do too.
package baseline
