ALTER TABLE `batches` ADD `sent_ids` text;--> statement-breakpoint
CREATE INDEX `batches_sent_ids` ON `batches` (`tenant`,`stream`,`sent_ids`) WHERE sent_ids > '';