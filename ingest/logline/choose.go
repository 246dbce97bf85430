package logline

import "strings"

// Annotation is the annotation of a pod that names the parser of its
// containers' logs: PARSER for all of them, or CONTAINER=PARSER, several with
// commas between.
const Annotation = "firebreak.io/logs"

// Choose gives the parser that a container's lines are read with first: the
// one that the pod's annotation names ([Annotation]), else the one of its
// image, else the one of its name. It is false when none of them tells; then
// and for lines that aren't of the parser's form there is [Recognise].
//
// Whoever writes the pod chooses with it how its own lines are read, and
// nothing else.
func Choose(annotation, container, image string) (Parser, bool) {
	if p, ok := annotated(annotation, container); ok {
		return p, true
	}
	if p, ok := byImage(image); ok {
		return p, true
	}
	return byProgram(container)
}

// annotated reads the annotation; what names the container comes before what
// is for all.
func annotated(annotation, container string) (Parser, bool) {
	every := ""
	for part := range strings.SplitSeq(annotation, ",") {
		name, value, both := strings.Cut(strings.TrimSpace(part), "=")
		if !both {
			every = name
		} else if strings.TrimSpace(name) == container {
			return Lookup(strings.TrimSpace(value))
		}
	}
	return Lookup(every)
}

// byImage finds the parser with the longest of the repository's ends.
func byImage(image string) (Parser, bool) {
	repository := repository(image)
	var found Parser
	longest := 0
	for _, p := range catalogue.all {
		for _, end := range p.Images {
			whole := len(repository) == len(end) || strings.HasSuffix(repository, "/"+end)
			if whole && strings.HasSuffix(repository, end) && len(end) > longest {
				found, longest = p, len(end)
			}
		}
	}
	return found, longest > 0
}

// repository is an image's reference without its tag and digest.
func repository(image string) string {
	image, _, _ = strings.Cut(image, "@")
	if i := strings.LastIndexByte(image, ':'); i > strings.LastIndexByte(image, '/') {
		image = image[:i]
	}
	return image
}

func byProgram(name string) (Parser, bool) {
	for _, p := range catalogue.all {
		for _, program := range p.Programs {
			if name == program {
				return p, true
			}
		}
	}
	return Parser{}, false
}
