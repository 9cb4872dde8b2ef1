package main

import (
	"context"
	"fmt"
	"os"
	"syscall"
	"time"

	tokenwell "github.com/tokenwell/tokenwell/bindings/go"
)

// leave ends the program in one of its ways. It returns for the way "return".
func leave(way string) {
	switch way {
	case "os.Exit":
		os.Exit(0)
	case "panic":
		panic("on purpose")
	case "panic in a goroutine":
		go panic("on purpose")
		select {}
	case "SIGKILL", "SIGTERM", "SIGINT", "SIGABRT":
		signals := map[string]syscall.Signal{"SIGKILL": syscall.SIGKILL, "SIGTERM": syscall.SIGTERM, "SIGINT": syscall.SIGINT, "SIGABRT": syscall.SIGABRT}
		if err := syscall.Kill(os.Getpid(), signals[way]); err != nil {
			panic(err)
		}
		select {}
	case "exec":
		program, err := os.Executable()
		if err == nil {
			err = syscall.Exec(program, []string{program, "token"}, os.Environ())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// printToken prints that it got a token.
func printToken([]string) (any, error) {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		return nil, err
	}
	if _, err := client.Token(context.Background()); err != nil {
		return nil, err
	}
	fmt.Println("token")
	return nil, nil
}

// exitAfterToken WAY: gets a token and exits immediately.
func exitAfterToken(arguments []string) (any, error) {
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		return nil, err
	}
	if _, err := client.Token(context.Background()); err != nil {
		return nil, err
	}
	leave(arguments[0])
	return nil, nil
}

// exitWhileWaiting WAY MICROSECONDS: exits that long after 20 goroutines began to get a token. Half of
// them are canceled at about the same time.
func exitWhileWaiting(arguments []string) (any, error) {
	moment := time.Duration(number(arguments, 1)) * time.Microsecond
	client, err := tokenwell.NewFromEnv()
	if err != nil {
		return nil, err
	}
	canceled, cancel := context.WithTimeout(context.Background(), moment)
	defer cancel()
	for i := range 20 {
		ctx := canceled
		if i%2 == 0 {
			ctx = context.Background()
		}
		go func() {
			for {
				if _, err := client.Token(ctx, tokenwell.ForceRefresh()); err != nil {
					return
				}
			}
		}()
	}
	time.Sleep(moment)
	leave(arguments[0])
	return nil, nil
}
