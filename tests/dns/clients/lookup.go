// SPDX-License-Identifier: Apache-2.0
// Go's own resolver (built without cgo). Prints "NAME ADDRESS" or "NAME error" for each NAME, and "slow" behind it after 4 s.
package main

import (
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	for _, name := range os.Args[1:] {
		begun, slow := time.Now(), ""
		found, err := net.LookupHost(name)
		if err != nil {
			found = []string{"error"}
		}
		if time.Since(begun) > 4*time.Second {
			slow = " slow"
		}
		fmt.Println(name, found[0]+slow)
	}
}
