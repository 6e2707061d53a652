// SPDX-License-Identifier: Apache-2.0
//
// Killing: everything in the namespace, or everything but what descends from the slots that go on.
#ifndef YETT_SWEEP_H
#define YETT_SWEEP_H

// Open /proc for later. Call before any program runs.
void sweep_begin(void);
// Kill all that is not below a living supervisor of a slot that was not swept; reaps, and returns when it is gone.
// Ends with kill(-1) if that takes too long.
void sweep(void);
// Reap whatever has ended by now.
void reap(void);

#endif
