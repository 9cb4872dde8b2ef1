// Command scenes is the program that tests/more/go/run.py starts and observes. Its first argument is
// the name of a scene. Clients take their settings from the environment. A scene prints a word when
// it reaches a point that matters to the observer, and one line of JSON at its end.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"time"
)

var scenes = map[string]func(arguments []string) (any, error){
	"waiters": waiters,
	"cancel":  cancelAllButOne,
	"hung":    hungServer,
	"leak":    leak,
	"setenv":  setenv,
	"token":   printToken,
	"exit":    exitAfterToken,
	"pending": exitWhileWaiting,
}

func main() {
	if len(os.Args) < 2 || scenes[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "no such scene")
		os.Exit(2)
	}
	report, err := scenes[os.Args[1]](os.Args[2:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if report == nil {
		return
	}
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// idle gives the observer time to count the threads of a program that does nothing. A goroutine that
// sleeps occupies no thread, while one that reads from standard input does.
func idle() {
	fmt.Println("idle")
	time.Sleep(500 * time.Millisecond)
}

func number(arguments []string, i int) int {
	parsed, err := strconv.Atoi(arguments[i])
	if err != nil {
		panic(err)
	}
	return parsed
}
