#pragma once
/*
 * Give up every system call that answering requests does not need. The build picks
 * seccomp for lusign; lusign_test, which reads its clock from a file, has none.
 */

/* 0, or a negative errno. What is not allowed afterwards kills the process. */
int sandbox_enter(void);
