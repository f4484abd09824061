"""The frame of Baton's services: it knows Kafka and Postgres, never a lead's business."""
