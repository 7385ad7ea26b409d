// SPDX-License-Identifier: Apache-2.0

// Many goroutines, the runtime's own poller and resolver, no libc. Prints "NAME RESULT" for each try.
package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	public4  = "93.184.215.14"
	public6  = "2606:2800:21f:cb07:6820:80da:af6b:8b2c"
	private4 = "10.9.9.9"
	private6 = "fd00:9::9"
	metadata = "169.254.169.254"
	google4  = "142.250.0.100"
	google6  = "2607:f8b0:4004:c1b::64"
	anyPort  = "7007"
	patience = 15 * time.Second
)

func nameOf(err error) string {
	var errno syscall.Errno
	if err == nil {
		return "ok"
	}
	if errors.As(err, &errno) {
		switch errno {
		case syscall.EACCES:
			return "EACCES"
		case syscall.EPROTONOSUPPORT:
			return "EPROTONOSUPPORT"
		case syscall.EAFNOSUPPORT:
			return "EAFNOSUPPORT"
		}
	}
	return fmt.Sprintf("%q", err.Error())
}

func talk(network, host, port string) error {
	conn, err := net.DialTimeout(network, net.JoinHostPort(host, port), patience)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if network == "udp" {
		if _, err := conn.Write([]byte("ping")); err != nil {
			return err
		}
	}
	_, err = conn.Read(make([]byte, 64))
	return err
}

// An unconnected socket: every datagram carries its address.
func sendTo(host string) error {
	conn, err := net.ListenUDP("udp6", nil)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(patience))
	if _, err := conn.WriteToUDP([]byte("ping"), &net.UDPAddr{IP: net.ParseIP(host), Port: 7007}); err != nil {
		return err
	}
	_, _, err = conn.ReadFromUDP(make([]byte, 64))
	return err
}

// Package net turns a mapped address into IPv4; the system calls do not.
func mapped(kind int, host string) error {
	fd, err := syscall.Socket(syscall.AF_INET6, kind|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	limit := syscall.NsecToTimeval(int64(patience))
	if err := syscall.SetsockoptTimeval(fd, syscall.SOL_SOCKET, syscall.SO_RCVTIMEO, &limit); err != nil {
		return err
	}
	to := syscall.SockaddrInet6{Port: 7007}
	copy(to.Addr[:], net.ParseIP(host).To16())
	if kind == syscall.SOCK_STREAM {
		err = syscall.Connect(fd, &to)
	} else {
		err = syscall.Sendto(fd, []byte("ping"), 0, &to)
	}
	if err != nil {
		return err
	}
	_, _, err = syscall.Recvfrom(fd, make([]byte, 64), 0)
	return err
}

func dialMany(hosts []string, each int) map[string]int {
	var lock sync.Mutex
	var group sync.WaitGroup
	counts := map[string]int{}
	for i := 0; i < each; i++ {
		group.Add(1)
		go func(host string) {
			defer group.Done()
			result := nameOf(talk("tcp", host, anyPort))
			lock.Lock()
			counts[result]++
			lock.Unlock()
		}(hosts[i%len(hosts)])
	}
	group.Wait()
	return counts
}

func mix() {
	var group sync.WaitGroup
	results := make([]map[string]int, 2)
	for i, hosts := range [][]string{{public4, public6}, {private4, private6, metadata, google4, google6}} {
		group.Add(1)
		go func(i int, hosts []string) {
			defer group.Done()
			results[i] = dialMany(hosts, 100)
		}(i, hosts)
	}
	group.Wait()
	for i, name := range []string{"mix.allowed", "mix.denied"} {
		for result, n := range results[i] {
			fmt.Printf("%s %s=%d\n", name, result, n)
		}
	}
}

func names() {
	resolver := net.Resolver{PreferGo: true}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for name, network := range map[string]string{"name.a": "ip4", "name.aaaa": "ip6"} {
		found, err := resolver.LookupIP(ctx, network, "www.example.com")
		if err != nil {
			fmt.Println(name, nameOf(err))
		} else {
			fmt.Println(name, found[0])
		}
	}
}

func main() {
	for _, network := range []string{"tcp", "udp"} {
		for name, host := range map[string]string{"public4": public4, "public6": public6, "private4": private4,
			"private6": private6, "metadata": metadata, "google4": google4, "google6": google6} {
			fmt.Println(network+"."+name, nameOf(talk(network, host, anyPort)))
		}
	}
	fmt.Println("tcp.smtp", nameOf(talk("tcp", public4, "25")))
	fmt.Println("tcp.mapped.public", nameOf(mapped(syscall.SOCK_STREAM, public4)))
	fmt.Println("tcp.mapped.private", nameOf(mapped(syscall.SOCK_STREAM, private4)))
	fmt.Println("udp.mapped.public", nameOf(mapped(syscall.SOCK_DGRAM, public4)))
	fmt.Println("udp.mapped.private", nameOf(mapped(syscall.SOCK_DGRAM, private4)))
	fmt.Println("sendto.public6", nameOf(sendTo(public6)))
	fmt.Println("sendto.private6", nameOf(sendTo(private6)))
	mix()
	names()
	listener, err := net.Listen("tcp", ":0")
	if err == nil {
		listener.Close()
	}
	fmt.Println("listen", nameOf(err))
	interfaces, err := net.Interfaces()
	if err == nil && len(interfaces) == 0 {
		err = errors.New("no interfaces")
	}
	fmt.Println("interfaces", nameOf(err))
}
