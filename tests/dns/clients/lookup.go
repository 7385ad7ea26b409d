// SPDX-License-Identifier: Apache-2.0
// Go's own resolver (built without cgo). Prints "NAME ADDRESS" or "NAME error" for each NAME.
package main

import (
	"fmt"
	"net"
	"os"
)

func main() {
	for _, name := range os.Args[1:] {
		found, err := net.LookupHost(name)
		if err != nil {
			fmt.Println(name, "error")
			continue
		}
		fmt.Println(name, found[0])
	}
}
