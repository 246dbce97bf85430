package demo

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strings"
	"time"
)

// person is somebody who uses the firebreak command with a token of theirs.
type person struct {
	*demo
	name, tokenFile string
}

// newPerson stores the person's token where the command reads it.
func (d *demo) newPerson(name, token string) (person, error) {
	file := name + ".token"
	return person{d, name, d.home.at(file)}, d.home.write(file, []byte(token))
}

// say runs a firebreak command as the person, shows it with the line that says
// how it ended, and says whether it was refused, which is no error.
func (p person) say(ctx context.Context, args ...string) (refused bool, err error) {
	p.board.row("person", "%s$ firebreak %s", p.name, shown(args))
	full := append(append([]string{}, args...), "--server", p.home.url(), "--server-ca", p.home.ca(), "--token-file", p.tokenFile)
	limited, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	cmd := exec.CommandContext(limited, p.Executable, full...)
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = attributes()
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err = cmd.Run()
	var status *exec.ExitError
	if err != nil && (!errors.As(err, &status) || limited.Err() != nil) {
		return false, fmt.Errorf("run firebreak %s: %w", args[0], err)
	}
	var line string
	switch {
	case err != nil:
		line = lastLine(errs.String())
	case args[0] == "undo": // the run as it stands after it, its state first
		line, _, _ = strings.Cut(out.String(), "\n")
	default:
		line = lastLine(out.String())
	}
	p.board.below("%s", line)
	return err != nil, nil
}

// shown is a command as it would be typed.
func shown(args []string) string {
	words := make([]string, len(args))
	for i, a := range args {
		if strings.ContainsAny(a, " '") {
			a = "\"" + a + "\""
		}
		words[i] = a
	}
	return strings.Join(words, " ")
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}
