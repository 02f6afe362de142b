package main

import (
	"errors"
	"fmt"

	httpd "github.com/musterhq/muster/http"
	"github.com/musterhq/muster/scripts/rig"
)

// onDisk compares what the stopped peers have on their disks with each other, at the last entry that all have, and with what
// their followers were told.
func onDisk(dirs map[string]string, told []httpd.Event) (wrong []string, err error) {
	var disks []*rig.Disk
	defer func() {
		for _, d := range disks {
			err = errors.Join(err, d.Close())
		}
	}()
	for peer, dir := range dirs {
		d, err := rig.OpenDisk(peer, dir)
		if err != nil {
			return nil, fmt.Errorf("disk of %s: %w", peer, err)
		}
		disks = append(disks, d)
	}
	common := disks[0].Last
	for _, d := range disks {
		common = min(common, d.Last)
	}
	if wrong, err = rig.ReplayAll(disks, common); err != nil {
		return nil, err
	}
	for _, d := range disks {
		kept, err := d.Events()
		if err != nil {
			return nil, err
		}
		wrong = append(wrong, apartFrom("disk of "+d.Peer, kept, "followers", told)...)
		if len(kept) < len(told) {
			wrong = append(wrong, fmt.Sprintf("the disk of %s holds %d events, followers were told %d", d.Peer, len(kept), len(told)))
		}
	}
	return wrong, nil
}
