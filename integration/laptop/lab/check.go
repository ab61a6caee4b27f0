package main

import (
	"fmt"
	"net/http"
	"os"
	"strings"
)

// check answers NetworkManager's connectivity check as the file says: for
// "portal" with a redirection to another page, otherwise as the internet does.
func check(address, file string) error {
	return http.ListenAndServe(address, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		// NetworkManager must connect again each time.
		w.Header().Set("Connection", "close")
		mode, _ := os.ReadFile(file) // at first there is no file
		switch strings.TrimSpace(string(mode)) {
		case "portal":
			http.Redirect(w, r, "http://portal.lab/sign-in", http.StatusFound)
		default:
			w.Header().Set("X-NetworkManager-Status", "online")
			fmt.Fprintln(w, "NetworkManager is online")
		}
	}))
}
