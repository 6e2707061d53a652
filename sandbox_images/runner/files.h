// SPDX-License-Identifier: Apache-2.0
//
// File requests. Programs may be alive and change what is being looked at: every part of a path is opened from its
// parent's descriptor and no symbolic link is followed, so a path leads where it says or nowhere.
#ifndef YETT_FILES_H
#define YETT_FILES_H

#include "frames.h"

void serve_read(struct cursor *c);
void serve_write(struct cursor *c);
void serve_list(struct cursor *c);
void serve_stat(struct cursor *c);

#endif
