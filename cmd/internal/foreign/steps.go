package foreign

// Pods makes a step be about the pods of an incident, each by itself.
const Pods = Expression(`filter(incident.subjects, .resource == "pods")`)

// Node makes a step be about the node of what the playbook is about.
const Node = Expression(`target.resource == "nodes" ? target : node(target.node)`)

// Step is a step of a playbook that an import makes.
func Step(name, action string, more ...Entry) []Entry {
	return append([]Entry{{"name", name}, {"action", action}}, more...)
}

// With are the parameters of a step's action.
func With(entries ...Entry) Entry { return Entry{"with", entries} }
