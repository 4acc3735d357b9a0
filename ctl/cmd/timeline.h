#pragma once
/*
 * One job as a picture (SVG, 860 wide): the steps that lud took, one below the other over time; and what the machine did in the
 * step that mattered, with how long its service answered nobody.
 */
#include "proto/control/control.pb-c.h"

#include <stdio.h>

/* title: about the job as a whole */
void timeline_write(FILE *to, const char *title, const Control__Job *job);
