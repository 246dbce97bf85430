package action

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/firebreak-io/firebreak/internal/event"
)

// Back says how a hold can be ended by what its object says of itself: in words,
// and by kubectl.
type Back struct {
	// Says is what the end of the hold gives back, a line each.
	Says []string `json:"says,omitempty"`
	// Commands do the same by hand, for a hold that nothing else ends.
	Commands []string `json:"commands,omitempty"`
}

// maxBack bounds the lines of a Back.
const maxBack = 16

func (b *Back) say(format string, args ...any) {
	if len(b.Says) < maxBack {
		b.Says = append(b.Says, event.Shorten(fmt.Sprintf(format, args...), event.MaxNote))
	}
}

// kubectl adds a command about an object.
func (b *Back) kubectl(verb string, o event.Ref, rest ...string) {
	words := []string{"kubectl"}
	if o.Namespace != "" {
		words = append(words, "--namespace", o.Namespace)
	}
	resource := o.Resource
	if o.Group != "" {
		resource += "." + o.Group
	}
	if len(b.Commands) < maxBack {
		b.Commands = append(b.Commands, strings.Join(append(append(words, verb, resource, o.Name), rest...), " "))
	}
}

// quarantineBack is that of a quarantine, for each of its holders. What it says of
// the pod is made once: whoever may annotate a pod can make up thousands of holders
// and of labels.
func quarantineBack(o event.Ref, rec quarantineRecord) func(key string) Back {
	var all Back
	labels := []string{HoldKey + "-", ProbesKey + "-"}
	for _, k := range slices.Sorted(maps.Keys(rec.Labels)) {
		all.say("label %s=%s is put back", k, rec.Labels[k])
		labels = append(labels, k+"="+rec.Labels[k])
	}
	all.say("label %s is taken off: all traffic that was denied passes again", HoldKey)
	all.kubectl("label", o, labels...)
	all.kubectl("annotate", o, HoldKey+"-")
	keys := slices.Sorted(maps.Keys(rec.Runs))
	return func(key string) Back {
		if len(keys) < 2 {
			return all
		}
		b := Back{Commands: all.Commands}
		b.say("it stays held by %s", someBut(keys, key))
		b.Says = append(b.Says, all.Says[:min(len(all.Says), maxBack-1)]...)
		return b
	}
}

// someBut names the first few of several keys but one, and how many more there are.
func someBut(keys []string, but string) string {
	const most = 3
	var some []string
	for _, k := range keys[:min(len(keys), most+1)] {
		if k != but && len(some) < most {
			some = append(some, k)
		}
	}
	text := strings.Join(some, ", ")
	if more := len(keys) - 1 - len(some); more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return text
}

// labelsBack is that of the labels that a step set.
func labelsBack(o event.Ref, rec labelRecord, mine []string) Back {
	var b Back
	labels := []string{"--overwrite", HeldKey + "-"}
	for _, k := range mine {
		hold := rec[k]
		back := ""
		if hold.Before != nil {
			back = *hold.Before
		}
		switch {
		case checkLabel(k, back) != nil:
			b.say("label %q has no value that could be put back", k)
		case hold.Before == nil:
			b.say("label %s is taken off", k)
			labels = append(labels, k+"-")
		default:
			b.say("label %s=%s is put back", k, back)
			labels = append(labels, k+"="+back)
		}
	}
	b.kubectl("label", o, labels...)
	b.kubectl("annotate", o, LabelKey+"-")
	return b
}

// fieldsBack is that of the fields that a step set.
func fieldsBack(o event.Ref, rec fieldRecord, mine []string) Back {
	var b Back
	for _, id := range mine {
		hold := rec[id]
		was := "absent"
		if hold.Before != nil {
			was = canonical(hold.Before)
		}
		b.say("%s is given back as it was: %s", hold.field, was)
	}
	b.kubectl("edit", o)
	b.kubectl("annotate", o, FieldsKey+"-")
	b.kubectl("label", o, HeldKey+"-")
	return b
}

// ownBack is that of an object that a step made.
func ownBack(o event.Ref) Back {
	var b Back
	b.say("%s, which the step made, is deleted", o)
	b.kubectl("delete", o)
	return b
}
