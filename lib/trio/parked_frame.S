/* SPDX-License-Identifier: BSL-1.0 */
/* int trio_walk_parked(void const* context, _Unwind_Trace_Fn visit, void* argument)
 *
 * Calls _Unwind_Backtrace(visit, argument) from a frame whose unwind table says that its caller's
 * registers are those that Boost.Context saved at `context` when it left a fiber: the unwinder
 * steps from here into the fiber's stack. Nothing is switched and nothing is written.
 *
 * The layouts are those of Boost.Context's jump_x86_64_sysv_elf_gas.S and
 * jump_arm64_aapcs_elf_gas.S.
 */
	.text
	.globl	trio_walk_parked
	.hidden	trio_walk_parked
	.p2align 4

#if defined(__x86_64__)
	.type	trio_walk_parked, @function
trio_walk_parked:
	.cfi_startproc
#ifdef __CET__
	endbr64
#endif
	pushq	%rbx
	.cfi_adjust_cfa_offset 8
	.cfi_offset %rbx, -16
	movq	%rdi, %rbx
	movq	%rsi, %rdi
	movq	%rdx, %rsi
	.cfi_remember_state
	.cfi_def_cfa %rbx, 0x48		/* its stack pointer when it runs again */
	.cfi_offset %rip, -0x08		/* saved at context + 0x40 */
	.cfi_offset %rbp, -0x10
	.cfi_offset %rbx, -0x18
	.cfi_offset %r15, -0x20
	.cfi_offset %r14, -0x28
	.cfi_offset %r13, -0x30
	.cfi_offset %r12, -0x38
	call	_Unwind_Backtrace@PLT
	nop				/* the table is looked up by the address before the return */
	.cfi_restore_state
	popq	%rbx
	.cfi_def_cfa_offset 8
	.cfi_restore %rbx
	ret
	.cfi_endproc
#elif defined(__aarch64__)
	.type	trio_walk_parked, %function
trio_walk_parked:
	.cfi_startproc
	hint	#34			/* bti c */
	stp	x29, x30, [sp, #-32]!
	.cfi_adjust_cfa_offset 32
	.cfi_offset 29, -32
	.cfi_offset 30, -24
	str	x19, [sp, #16]
	.cfi_offset 19, -16
	mov	x29, sp
	mov	x19, x0
	mov	x0, x1
	mov	x1, x2
	.cfi_remember_state
	.cfi_def_cfa 19, 0xb0		/* its stack pointer when it runs again */
	.cfi_offset 30, -0x10		/* where it goes on, saved at context + 0xa0 */
	.cfi_offset 29, -0x20
	.cfi_offset 28, -0x28
	.cfi_offset 27, -0x30
	.cfi_offset 26, -0x38
	.cfi_offset 25, -0x40
	.cfi_offset 24, -0x48
	.cfi_offset 23, -0x50
	.cfi_offset 22, -0x58
	.cfi_offset 21, -0x60
	.cfi_offset 20, -0x68
	.cfi_offset 19, -0x70
	.cfi_offset 79, -0x78		/* d15 down to d8 */
	.cfi_offset 78, -0x80
	.cfi_offset 77, -0x88
	.cfi_offset 76, -0x90
	.cfi_offset 75, -0x98
	.cfi_offset 74, -0xa0
	.cfi_offset 73, -0xa8
	.cfi_offset 72, -0xb0
	bl	_Unwind_Backtrace
	nop				/* the table is looked up by the address before the return */
	.cfi_restore_state
	ldr	x19, [sp, #16]
	ldp	x29, x30, [sp], #32
	.cfi_def_cfa_offset 0
	.cfi_restore 19
	.cfi_restore 29
	.cfi_restore 30
	ret
	.cfi_endproc
#else
#error "trio's frames are written for x86-64 and aarch64"
#endif
	.size	trio_walk_parked, .-trio_walk_parked

	.section .note.GNU-stack,"",%progbits
