package foreign

// Pods makes a step be about the pods of an incident, each by itself.
const Pods = Expression(`filter(incident.subjects, .resource == "pods")`)

// Node makes a step be about the node of what the playbook is about.
const Node = Expression(`target.resource == "nodes" ? target : node(target.node)`)

// Steps are those of one playbook in the making. One goroutine uses it.
type Steps struct {
	// Doc is the playbook: what the import could not say of a step is a comment.
	Doc *Document
	// All are the steps so far, each as its entries.
	All [][]Entry

	names Names
}

// NewSteps are none yet, of a playbook.
func NewSteps(d *Document) Steps { return Steps{Doc: d, names: Names{}} }

// Add adds a step, under a name that no other step of the playbook has.
func (s *Steps) Add(name, action string, more ...Entry) {
	s.All = append(s.All, append([]Entry{{"name", s.names.Unique(name)}, {"action", action}}, more...))
}

// Comment says something above the playbook.
func (s *Steps) Comment(text string) { s.Doc.Comments = append(s.Doc.Comments, text) }

// Webhook adds a step that tells a webhook of the config, and a comment of what
// the config needs for it.
func (s *Steps) Webhook(name, note string) {
	s.Comment("Step " + name + ": " + note + ".")
	s.Add(name, "notify.webhook", Entry{"on_failure", "continue"}, With(Entry{"webhook", name}))
}

// With are the parameters of a step's action.
func With(entries ...Entry) Entry { return Entry{"with", entries} }
