/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SYS_SEND_CONTROL_H
#define SYS_SEND_CONTROL_H

struct crew_worker;
struct request;
struct send_job;

/**
 * send_check_control() - may the control data of @job go out?  Descriptor numbers of the program's in
 * them become our duplicates, which @job keeps until send_job_fini().
 * Return: 0 or -errno, of a refusal too.
 */
int send_check_control(struct crew_worker *worker, struct request *req, struct send_job *job);

#endif
