package demo

// style is a colour of the terminal, as the code of its escape sequence.
type style string

// The styles of the timeline.
const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "31"
	green  style = "32"
	yellow style = "33"
	blue   style = "34"
	violet style = "35"
	cyan   style = "36"
)

// painter paints text, or leaves it as it is where there are no colours.
type painter bool

func (p painter) paint(s style, text string) string {
	if !p || s == plain || text == "" {
		return text
	}
	return "\x1b[" + string(s) + "m" + text + "\x1b[0m"
}

// styles are those of the labels of rows.
func styles(label string) style {
	switch label {
	case "attack", "alert":
		return red
	case "event":
		return yellow
	case "finding":
		return violet
	case "plan", "approval":
		return blue
	case "action", "undo":
		return cyan
	case "cluster":
		return green
	case "person":
		return bold
	}
	return dim
}
