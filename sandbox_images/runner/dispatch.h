// SPDX-License-Identifier: Apache-2.0
//
// Which frame goes where, and which may come when.
#ifndef YETT_DISPATCH_H
#define YETT_DISPATCH_H

// Do what the frames received so far ask for. One that may not come now ends this process.
void dispatch_received(void);
// As before the first frame of a conversation.
void dispatch_begin(void);

#endif
