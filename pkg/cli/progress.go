package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/term"

	"github.com/kubectl-noderole/kubectl-noderole/pkg/collect"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/print"
	"github.com/kubectl-noderole/kubectl-noderole/pkg/text"
)

// drawEvery is how often progress is drawn at most.
const drawEvery = 100 * time.Millisecond

// clearLine goes to the start of the line and clears it.
const clearLine = "\r\x1b[K"

// progress returns what shows progress on standard error where that is a
// terminal, and what clears it. Whoever starts it calls done in every case.
func (o *liveOptions) progress() (show func(collect.Event), done func()) {
	width, ok := drawable(o.streams.ErrOut)
	if o.quiet || !ok {
		return nil, func() {}
	}
	return drawProgress(o.streams.ErrOut, width, time.Now)
}

// drawable reports whether w is a terminal on which a line can be drawn again, and how
// wide it is at the time.
func drawable(w io.Writer) (width func() int, ok bool) {
	if cleaning, ok := w.(*text.Writer); ok {
		w = cleaning.W
	}
	f, ok := w.(*os.File)
	if !ok || !term.IsTerminal(int(f.Fd())) || os.Getenv("TERM") == "dumb" {
		return nil, false
	}
	return func() int {
		if n, _, err := term.GetSize(int(f.Fd())); err == nil && n > 0 {
			return n
		}
		return print.DefaultWidth // some terminals do not say
	}, true
}

// drawProgress draws on one line what was read last, how much of how much, and
// for how long, until done clears the line. Time goes on also while nothing is
// read.
func drawProgress(w io.Writer, width func() int, now func() time.Time) (show func(collect.Event), done func()) {
	var (
		mu      sync.Mutex
		last    collect.Event
		started = now()
		stop    = make(chan struct{})
		ended   = make(chan struct{})
	)
	go func() {
		defer close(ended)
		tick := time.NewTicker(drawEvery)
		defer tick.Stop()
		drawn := ""
		for {
			select {
			case <-stop:
				if drawn != "" {
					fmt.Fprint(w, clearLine)
				}
				return
			case <-tick.C:
				mu.Lock()
				line := progressLine(last, now().Sub(started), width())
				mu.Unlock()
				if line != drawn {
					fmt.Fprint(w, clearLine+line)
					drawn = line
				}
			}
		}
	}()
	show = func(e collect.Event) {
		mu.Lock()
		defer mu.Unlock()
		last = e
	}
	var once sync.Once
	return show, func() {
		once.Do(func() { close(stop) })
		<-ended
	}
}

// progressLine fits into the width, but for the last column: a cursor after it
// would be on the next line.
func progressLine(e collect.Event, since time.Duration, width int) string {
	line := "reading the facts"
	if e.Total > 0 {
		line += fmt.Sprintf(": %d of %d", e.Done, e.Total)
	}
	line += fmt.Sprintf(", %d s", int(since.Seconds()))
	if e.What != "" {
		line += ", " + text.Visible(e.What)
	}
	return strings.TrimRight(print.Cut(line, width-1), " ")
}
