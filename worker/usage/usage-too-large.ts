/** More than an instance may hold or work on for one calculation: nothing is priced by a part of it. */
export class UsageTooLargeError extends Error {}
