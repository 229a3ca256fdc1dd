DROP INDEX `batches_stream`;--> statement-breakpoint
ALTER TABLE `batches` ADD `seq` integer DEFAULT 0 NOT NULL;--> statement-breakpoint
UPDATE `batches` SET `seq` = `id` WHERE `replay_of` IS NULL;--> statement-breakpoint
CREATE INDEX `batches_seq` ON `batches` (`tenant`,`stream`,`seq`) WHERE replay_of IS NULL;