// SPDX-License-Identifier: Apache-2.0

// Go's net and net/http on the loopback: prints one line per thing tried, in a fixed order.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"time"
)

func show(name string, call func() (any, error)) {
	value, err := call()
	var number syscall.Errno
	switch {
	case err == nil:
		fmt.Println(name, value)
	case errors.As(err, &number):
		fmt.Println(name, "errno", int(number))
	case errors.Is(err, os.ErrDeadlineExceeded):
		fmt.Println(name, "deadline")
	default:
		fmt.Println(name, "error", err)
	}
}

func stream(network, address string) func() (any, error) {
	return func() (any, error) {
		l, err := net.Listen(network, address)
		if err != nil {
			return nil, err
		}
		defer l.Close()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				go func() { io.Copy(c, c); c.Close() }()
			}
		}()
		c, err := net.DialTimeout(network, l.Addr().String(), 5*time.Second)
		if err != nil {
			return nil, err
		}
		defer c.Close()
		go func() {
			io.WriteString(c, strings.Repeat("x", 300000))
			c.(interface{ CloseWrite() error }).CloseWrite()
		}()
		all, err := io.ReadAll(c)
		return len(all), err
	}
}

func datagrams(network, address string) func() (any, error) {
	return func() (any, error) {
		a, err := net.ListenPacket(network, address)
		if err != nil {
			return nil, err
		}
		defer a.Close()
		go func() {
			b := make([]byte, 2000)
			for {
				n, from, err := a.ReadFrom(b)
				if err != nil {
					return
				}
				a.WriteTo(append(b[:n], '!'), from)
			}
		}()
		c, err := net.Dial(network, a.LocalAddr().String())
		if err != nil {
			return nil, err
		}
		defer c.Close()
		u := c.(*net.UDPConn)
		b := make([]byte, 2000)
		c.SetDeadline(time.Now().Add(5 * time.Second))
		c.Write([]byte("one"))
		n, _ := c.Read(b)
		first := string(b[:n])
		u.WriteMsgUDP([]byte("two"), nil, nil)
		n, oob, flags, from, err := u.ReadMsgUDPAddrPort(b, make([]byte, 100))
		if err != nil {
			return nil, err
		}
		second := string(b[:n])
		c.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		_, err = c.Read(b)
		return []any{first, second, oob, flags, from.Addr(), errors.Is(err, os.ErrDeadlineExceeded)}, nil
	}
}

func closedWhileReading() (any, error) {
	c, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	time.AfterFunc(50*time.Millisecond, func() { c.Close() })
	_, _, err = c.ReadFrom(make([]byte, 10))
	return errors.Is(err, net.ErrClosed), nil
}

func portUnreachable() (any, error) {
	c, err := net.Dial("udp4", "127.0.0.1:9")
	if err != nil {
		return nil, err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	c.Write([]byte("x"))
	_, err = c.Read(make([]byte, 10))
	return nil, err
}

func files() (any, error) {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, err
	}
	defer c.Close()
	f, err := c.File()
	if err != nil {
		return nil, err
	}
	copied, err := net.FilePacketConn(f)
	f.Close()
	if err != nil {
		return nil, err
	}
	defer copied.Close()
	c.WriteToUDPAddrPort([]byte("self"), netip.MustParseAddrPort(c.LocalAddr().String()))
	b := make([]byte, 10)
	n, _, err := copied.ReadFrom(b)
	return string(b[:n]), err
}

func web() (any, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, "%s %s %d", r.Method, r.URL.Path, len(body))
	})}
	go server.Serve(l)
	defer server.Close()
	var answers []string
	for i := 0; i < 3; i++ {
		answer, err := http.Post(fmt.Sprintf("http://%s/%d", l.Addr(), i), "text/plain", strings.NewReader(strings.Repeat("y", i*50000)))
		if err != nil {
			return nil, err
		}
		body, _ := io.ReadAll(answer.Body)
		answer.Body.Close()
		answers = append(answers, answer.Status+" "+string(body))
	}
	client := http.Client{Timeout: 50 * time.Millisecond}
	quiet, _ := net.Listen("tcp", "127.0.0.1:0")
	defer quiet.Close()
	_, err = client.Get("http://" + quiet.Addr().String())
	var timeout net.Error
	return append(answers, fmt.Sprint(errors.As(err, &timeout) && timeout.Timeout())), nil
}

func lookup(name string) func() (any, error) {
	return func() (any, error) {
		resolver := net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, network, "127.0.0.1:53")
		}}
		found, err := resolver.LookupHost(context.Background(), name)
		var dns *net.DNSError
		if errors.As(err, &dns) {
			return dns.IsNotFound, nil
		}
		return found, err
	}
}

func dial(network, address string) func() (any, error) {
	return func() (any, error) { return net.DialTimeout(network, address, 2*time.Second) }
}

func main() {
	show("tcp4", stream("tcp4", "127.0.0.1:0"))
	show("tcp6", stream("tcp6", "[::1]:0"))
	show("tcp", stream("tcp", ":0"))
	show("unix", stream("unix", os.TempDir()+"/go.sock"))
	show("abstract", stream("unix", "@gae-go"))
	show("udp4", datagrams("udp4", "127.0.0.1:0"))
	show("udp6", datagrams("udp6", "[::1]:0"))
	show("closed while reading", closedWhileReading)
	show("port unreachable", portUnreachable)
	show("file of a socket", files)
	show("http", web)
	show("dns", lookup("www.lab.test"))
	show("dns none", lookup("none.lab.test"))
	show("refused", dial("tcp", "127.0.0.1:9"))
	show("unreachable", dial("tcp", "192.0.2.1:80"))
	show("no path", dial("unix", os.TempDir()+"/none"))
	show("interfaces", func() (any, error) {
		all, err := net.Interfaces()
		return len(all), err
	})
	show("multicast", func() (any, error) {
		lo, err := net.InterfaceByName("lo")
		if err != nil {
			return nil, err
		}
		c, err := net.ListenMulticastUDP("udp4", lo, &net.UDPAddr{IP: net.IPv4(239, 1, 2, 3), Port: 5007})
		if err != nil {
			return nil, err
		}
		return "joined", c.Close()
	})
}
