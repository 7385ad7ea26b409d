// Go's net and net/http; each command prints one line.
package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"time"
)

func dial(network, address string) (string, error) {
	connection, err := net.DialTimeout(network, address, 5*time.Second)
	if err != nil {
		return "", err
	}
	return "connected", connection.Close()
}

func get(url string) (string, error) {
	answer, err := http.Get(url)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	return answer.Status + " " + strings.TrimSpace(string(body)), err
}

func listen() (string, error) {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		return "", err
	}
	return "listening", listener.Close()
}

func many(url, count string) (string, error) {
	n, err := strconv.Atoi(count)
	if err != nil {
		return "", err
	}
	var group sync.WaitGroup
	var lock sync.Mutex
	good := 0
	for i := 0; i < n; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			if _, err := get(url); err == nil {
				lock.Lock()
				good++
				lock.Unlock()
			}
		}()
	}
	group.Wait()
	return "answers " + strconv.Itoa(good), nil
}

func resolve(name string) (string, error) {
	resolver := &net.Resolver{PreferGo: true}
	found, err := resolver.LookupHost(context.Background(), name)
	return "addresses " + strings.Join(found, " "), err
}

func datagram(address string) (string, error) {
	connection, err := net.ListenPacket("udp", ":0")
	if err != nil {
		return "", err
	}
	defer connection.Close()
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return "", err
	}
	if _, err = connection.WriteTo([]byte("probe"), to); err != nil {
		return "", err
	}
	answer := make([]byte, 16)
	if err = connection.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return "", err
	}
	n, _, err := connection.ReadFrom(answer)
	return "echo " + string(answer[:n]), err
}

func child() (string, error) {
	out, err := exec.Command("/bin/echo", "from a child").Output()
	return strings.TrimSpace(string(out)), err
}

func main() {
	var line string
	var err error
	switch arguments := os.Args[2:]; os.Args[1] {
	case "dial":
		line, err = dial(arguments[0], arguments[1])
	case "get":
		line, err = get(arguments[0])
	case "listen":
		line, err = listen()
	case "many":
		line, err = many(arguments[0], arguments[1])
	case "resolve":
		line, err = resolve(arguments[0])
	case "datagram":
		line, err = datagram(arguments[0])
	case "child":
		line, err = child()
	}
	if err != nil {
		line = err.Error()
	}
	fmt.Printf("%s: %s\n", os.Args[1], line)
}
