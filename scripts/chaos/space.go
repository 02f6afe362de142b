package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/musterhq/muster/scripts/rig"
)

const (
	roomy    = 2 << 30  // bytes of a small disk while it has room
	scarce   = 64 << 20 // what is left of it when writes are to be refused
	handOver = 15 * time.Second
)

// fullDisk puts a peer's data on a small file system and has it lead. With little room left it must give leadership away; with
// none it must end and say why, and it starts again once there is room.
func fullDisk(ctx context.Context, r *run) (string, error) {
	p := r.any()
	r.kill(p)
	if err := each(ctx,
		"mv "+p.Data+" "+p.Data+".disk",
		"mkdir -m 700 "+p.Data,
		fmt.Sprintf("mount -t tmpfs -o mode=700,size=%d tmpfs %s", roomy, p.Data),
		"cp -a "+p.Data+".disk/. "+p.Data,
	); err != nil {
		return "", err
	}
	if err := r.start(ctx, p); err != nil {
		return "", err
	}
	if err := r.fillUp(ctx, p); err != nil {
		return "", err
	}
	return p.Name, each(ctx,
		"rm -r "+p.Data+".disk",
		"cp -a "+p.Data+" "+p.Data+".disk",
		"umount "+p.Data,
		"rmdir "+p.Data,
		"mv "+p.Data+".disk "+p.Data,
	)
}

// fillUp leaves a peer that leads little room on its disk, and then none.
func (r *run) fillUp(ctx context.Context, p *rig.Peer) error {
	if err := r.lead(ctx, p); err != nil {
		return err
	}
	if err := leave(ctx, p.Data, scarce); err != nil {
		return err
	}
	soon, cancel := context.WithTimeout(ctx, handOver)
	defer cancel()
	if err := rig.Until(soon, p.Name+" to give leadership away", func(ctx context.Context) error {
		if leader, err := r.group.Leader(ctx); err != nil || leader == p {
			return fmt.Errorf("it leads: %w", err)
		}
		return nil
	}); err != nil {
		r.report.violation("%s has no room on its disk and leads on: %s", p.Name, err)
	}
	if err := r.writable(ctx, p); err != nil {
		return err
	}
	r.ended[p] = true
	if err := leave(ctx, p.Data, 0); err != nil {
		return err
	}
	return r.mustEnd(ctx, p, syscall.ENOSPC.Error())
}

// lead has a peer take leadership.
func (r *run) lead(ctx context.Context, p *rig.Peer) error {
	if err := r.group.Ready(ctx); err != nil {
		return err
	}
	self, err := p.API.Self(ctx)
	if err != nil {
		return err
	}
	return rig.Until(ctx, p.Name+" to lead", func(ctx context.Context) error {
		leader, err := r.group.Leader(ctx)
		if err != nil || leader == p {
			return err
		}
		if err := leader.API.TransferLeader(ctx, self.Member.ID); err != nil {
			return err
		}
		return fmt.Errorf("%s leads", leader.Name)
	})
}

// leave changes the size of a small file system so that so much of it is free.
func leave(ctx context.Context, dir string, free uint64) error {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return err
	}
	used := (s.Blocks - s.Bfree) * uint64(s.Bsize)
	return each(ctx, fmt.Sprintf("mount -o remount,size=%d %s", used+free, dir))
}
