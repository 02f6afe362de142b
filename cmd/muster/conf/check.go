package conf

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Address judges host:port.
func Address(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf(`%q is not host:port; wanted is an address like "10.0.0.1:8650"`, text)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("%q has the port %q; wanted is a number from 0 to 65535", text, port)
	}
	return nil
}

// OneOf judges words of which there are few.
func OneOf(words ...string) func(string) error {
	return func(text string) error {
		if slices.Contains(words, text) {
			return nil
		}
		return fmt.Errorf("%q is none of %s", text, strings.Join(words, ", "))
	}
}

// Between judges a number's limits.
func Between(least, most int64) func(string) error {
	return func(text string) error {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < least || n > most {
			return fmt.Errorf("%s is not between %d and %d", text, least, most)
		}
		return nil
	}
}

// AtLeast judges a span of time's limit.
func AtLeast(least time.Duration) func(string) error {
	return func(text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < least {
			return fmt.Errorf("%s is shorter than %s", text, least)
		}
		return nil
	}
}

// CIDR judges a network.
func CIDR(text string) error {
	if _, err := netip.ParsePrefix(text); err != nil {
		return fmt.Errorf(`%q is no network; wanted is one like "10.0.0.0/8"`, text)
	}
	return nil
}
